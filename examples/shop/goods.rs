//! The shop's own data: what it sells, its orders, and shipping.

use std::path::Path;
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use tulbur::core::{Currency, Money, OrderRef, async_trait};
use tulbur::payments::sqlite::{claim_in, create_claims_table};
use tulbur::payments::{Event, EventHandler, EventKind, HandlerError};

use crate::Result;

/// Something that the shop sells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    minor: i64,
}

impl Product {
    pub(crate) fn price(&self) -> Money {
        Money::from_minor(self.minor, Currency::MNT)
    }

    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        PRODUCTS.iter().find(|product| product.id == id)
    }
}

/// All that there is.
pub(crate) const PRODUCTS: [Product; 2] = [
    Product {
        id: "tea", name: "Сүүтэй цай · Milk tea", text: "A bowl, salted, hot.", minor: 150_000
    },
    Product {
        id: "book",
        name: "Ном · A book",
        text: "Two hundred pages, half of them blank.",
        minor: 2_499_950,
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

/// The shop's tables, in the same file as Tulbur's.
#[derive(Debug, Clone)]
pub(crate) struct Goods(SqlitePool);

impl Goods {
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePool::connect_with(options).await?;
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS shop_orders (order_ref TEXT PRIMARY KEY, product TEXT NOT NULL, \
             shipped INTEGER NOT NULL DEFAULT 0)",
        )
        .execute(&pool)
        .await?;
        create_claims_table(&mut *pool.acquire().await?).await?;
        Ok(Self(pool))
    }

    /// Notes what an order is for; once, whatever a customer's browser sends again.
    pub(crate) async fn add(&self, order: &OrderRef, product: &Product) -> Result<()> {
        sqlx::query("INSERT OR IGNORE INTO shop_orders (order_ref, product) VALUES (?, ?)")
            .bind(order.as_str())
            .bind(product.id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    pub(crate) async fn find(&self, order: &OrderRef) -> Result<Option<ShopOrder>> {
        let row = sqlx::query("SELECT product, shipped FROM shop_orders WHERE order_ref = ?")
            .bind(order.as_str())
            .fetch_optional(&self.0)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(product) = Product::find(row.get("product")) else { return Ok(None) };
        Ok(Some(ShopOrder { order: order.clone(), product, shipped: row.get("shipped") }))
    }
}

/// Shipping, exactly once: the claim and the shipment are one transaction.
#[async_trait]
impl EventHandler for Goods {
    async fn handle(&self, event: &Event) -> std::result::Result<(), HandlerError> {
        let (EventKind::Paid { .. }, Some(order)) = (&event.kind, &event.order) else { return Ok(()) };
        let mut tx = self.0.begin_with("BEGIN IMMEDIATE").await?;
        if claim_in(&mut tx, "shipping", &event.id).await? {
            sqlx::query("UPDATE shop_orders SET shipped = shipped + 1 WHERE order_ref = ?")
                .bind(order.as_str())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
