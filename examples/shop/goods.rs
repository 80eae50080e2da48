//! The shop's own data: what it sells, its orders, and shipping.

use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use tulbur::core::{Currency, Money, OrderRef, async_trait};
use tulbur::payments::{Event, EventHandler, EventKind, HandlerError, postgres, sqlite};

use crate::Result;
use crate::ways::Country;

/// Something that the shop sells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) country: Country,
    minor: i64,
}

impl Product {
    pub(crate) fn price(&self) -> Money {
        let currency = match self.country {
            Country::Mongolia => Currency::MNT,
            Country::Vietnam => Currency::VND,
        };
        Money::from_minor(self.minor, currency)
    }

    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        PRODUCTS.iter().find(|product| product.id == id)
    }
}

/// All that there is.
pub(crate) const PRODUCTS: [Product; 3] = [
    Product {
        id: "tea",
        name: "Сүүтэй цай · Milk tea",
        text: "A bowl, salted, hot.",
        country: Country::Mongolia,
        minor: 150_000,
    },
    Product {
        id: "book",
        name: "Ном · A book",
        text: "Two hundred pages, half of them blank.",
        country: Country::Mongolia,
        minor: 2_499_950,
    },
    Product {
        id: "coffee",
        name: "Cà phê sữa đá · Iced coffee",
        text: "With condensed milk. Sold in Vietnam.",
        country: Country::Vietnam,
        minor: 100_000,
    },
];

/// An order of the shop's.
#[derive(Debug, Clone)]
pub(crate) struct ShopOrder {
    pub(crate) order: OrderRef,
    pub(crate) product: &'static Product,
    /// How often it was shipped. More than once is what all this is there to prevent.
    pub(crate) shipped: u32,
}

/// The shop's tables, in the same database as Tulbur's.
#[derive(Debug, Clone)]
pub(crate) enum Goods {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The same statement on whichever database it is: both read it alike.
macro_rules! on {
    ($goods:expr, $pool:ident => $work:expr) => {
        match $goods {
            Goods::Sqlite($pool) => $work,
            Goods::Postgres($pool) => $work,
        }
    };
}

const ORDERS: &str = "CREATE TABLE IF NOT EXISTS shop_orders (order_ref TEXT PRIMARY KEY, product TEXT NOT NULL, \
     shipped BIGINT NOT NULL DEFAULT 0)";
const SHIP: &str = "UPDATE shop_orders SET shipped = shipped + 1 WHERE order_ref = $1";

impl Goods {
    /// Opens the database that the address names, which [`tulbur::payments::open_store`] has made.
    pub(crate) async fn open(address: &str) -> Result<Self> {
        if address.starts_with("postgres") {
            // A customer is told soon that the database is away, and does not wait the half minute that sqlx gives.
            let options = PgPoolOptions::new().acquire_timeout(Duration::from_secs(5));
            let pool = options.connect(address).await.map_err(|e| format!("the database: {e}"))?;
            // Of several shops that start at once, one makes the tables.
            let mut tx = pool.begin().await?;
            sqlx::query("SELECT pg_advisory_xact_lock(8080)").execute(&mut *tx).await?;
            sqlx::query(ORDERS).execute(&mut *tx).await?;
            postgres::create_claims_table(&mut tx).await?;
            tx.commit().await?;
            return Ok(Self::Postgres(pool));
        }
        let options = SqliteConnectOptions::new()
            .filename(address.trim_start_matches("sqlite:"))
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePool::connect_with(options).await?;
        sqlx::query(ORDERS).execute(&pool).await?;
        sqlite::create_claims_table(&mut *pool.acquire().await?).await?;
        Ok(Self::Sqlite(pool))
    }

    /// Notes what an order is for; once, whatever a customer's browser sends again.
    pub(crate) async fn add(&self, order: &OrderRef, product: &Product) -> Result<()> {
        const ADD: &str =
            "INSERT INTO shop_orders (order_ref, product) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        on!(self, pool => {
            sqlx::query(ADD).bind(order.as_str()).bind(product.id).execute(pool).await?;
        });
        Ok(())
    }

    pub(crate) async fn find(&self, order: &OrderRef) -> Result<Option<ShopOrder>> {
        const FIND: &str = "SELECT product, shipped FROM shop_orders WHERE order_ref = $1";
        let found: Option<(String, i64)> = on!(self, pool => {
            sqlx::query_as(FIND).bind(order.as_str()).fetch_optional(pool).await?
        });
        let Some((product, shipped)) = found else { return Ok(None) };
        let Some(product) = Product::find(&product) else { return Ok(None) };
        Ok(Some(ShopOrder { order: order.clone(), product, shipped: u32::try_from(shipped)? }))
    }
}

/// Shipping, exactly once: the claim and the shipment are one transaction.
#[async_trait]
impl EventHandler for Goods {
    async fn handle(&self, event: &Event) -> std::result::Result<(), HandlerError> {
        let (EventKind::Paid { .. }, Some(order)) = (&event.kind, &event.order) else { return Ok(()) };
        match self {
            Self::Sqlite(pool) => {
                let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                if sqlite::claim_in(&mut tx, "shipping", &event.id).await? {
                    sqlx::query(SHIP).bind(order.as_str()).execute(&mut *tx).await?;
                }
                tx.commit().await?;
            }
            Self::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                if postgres::claim_in(&mut tx, "shipping", &event.id).await? {
                    sqlx::query(SHIP).bind(order.as_str()).execute(&mut *tx).await?;
                }
                tx.commit().await?;
            }
        }
        Ok(())
    }
}
