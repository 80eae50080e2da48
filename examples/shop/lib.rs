//! The shop: sells in Mongolia through Golomt Bank and in Vietnam through Galaxy Pay, against the sandbox, with an
//! SQLite file, or with PostgreSQL and several of it at once.
//!
//! * `bank.rs` starts the sandbox, or reaches one that runs elsewhere.
//! * `goods.rs` is the shop's own data: what it sells, its orders, and shipping, exactly once.
//! * `ways.rs` is how a customer pays: which account is asked for what.
//! * `pages.rs` is what a customer sees; `counter.rs` what the shop does with an order that exists: refund, capture, void.
//! * `on_axum.rs` and `on_actix.rs` put the pages and Tulbur's routes on a web framework: two shops, and one is enough.
//! * `stop.rs` lets a test end or stop the process at a named point, and put its clock wrong.
//!
//! What it shows of Tulbur is all in [`open`]: the providers' accounts, a store, a handler, the web adapter.

mod bank;
mod counter;
mod goods;
mod on_actix;
mod on_axum;
mod pages;
mod serving;
mod stop;
mod ways;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tulbur::core::{AccountConfig, AccountName, Clock, Poll, ProviderId, Registry, SecretString, Url};
use tulbur::payments::{Pace, Payments, Schedule, SealingKeys, Store, open_store};
use tulbur::web::{Web, WebSettings};

use bank::Banks;
use goods::Goods;
use pages::Shop;
use stop::{Stop, StopAtSent, WrongClock};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Resolves when the process is asked to stop.
type Stopping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The accounts that the shop sells through; each is called as its provider.
const GOLOMT_ECOMMERCE: &str = "golomt-ecommerce";
const GOLOMT_INSTORE: &str = "golomt-instore";
const GALAXY_PAY: &str = "galaxy-pay";
const QPAY: &str = "qpay";

/// A small shop that takes payments.
#[derive(Debug, Parser)]
#[command(name = "shop", max_term_width = 100)]
struct Options {
    /// Port of the shop, on this machine only
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Folder of its database, its key and the sandbox's state
    #[arg(long, default_value = ".shop")]
    data: PathBuf,
    /// Database, as `postgres://…` for several shops at once; by default an SQLite file in the folder
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Control address of a sandbox that runs already, instead of one in this process
    #[arg(long, value_name = "URL")]
    sandbox: Option<Url>,
    /// Control port of the sandbox in this process; its providers take the ports after it
    #[arg(long, default_value_t = 4000)]
    sandbox_port: u16,
    /// Ask the bank every second, and take what a dead process left over soon: for tests against the sandbox
    #[arg(long, hide = true)]
    hasty: bool,
    /// Give payers so many seconds, whatever the provider says: for tests against the sandbox
    #[arg(long, hide = true, value_name = "SECONDS")]
    lifetime: Option<u64>,
    /// Stand still at a named point of a payment's way, to be killed there: for tests
    #[arg(long, hide = true, value_name = "POINT")]
    stop_at: Option<String>,
    /// Say when a write is at a point of its way, and dwell there for so many milliseconds, to be stopped there: for tests
    #[arg(long, hide = true, value_name = "MILLISECONDS")]
    dwell: Option<u64>,
    /// Put the clock so many seconds ahead: for tests
    #[arg(long, hide = true, value_name = "SECONDS")]
    clock_ahead: Option<u64>,
}

impl Options {
    fn database(&self) -> String {
        let file = || format!("sqlite:{}", self.data.join("shop.db").display());
        self.database.clone().unwrap_or_else(file)
    }
}

/// Runs the shop on axum with these arguments, until Ctrl-C.
pub fn main<A>(arguments: A) -> ExitCode
where
    A: IntoIterator,
    A::Item: Into<OsString> + Clone,
{
    start(arguments, |options| runtime()?.block_on(run(options, on_axum::serve)))
}

/// The same on actix-web, in its runtime.
pub fn main_actix<A>(arguments: A) -> ExitCode
where
    A: IntoIterator,
    A::Item: Into<OsString> + Clone,
{
    start(arguments, |options| {
        // actix's own has one thread, which a handler of events that computes for long would keep from all else.
        let runtime = runtime()?;
        actix_web::rt::System::with_tokio_rt(|| runtime).block_on(run(options, on_actix::serve))
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().map_err(|e| format!("cannot start: {e}").into())
}

#[expect(clippy::print_stderr, reason = "a program tells its failures on standard error")]
fn start<A>(arguments: A, run: impl FnOnce(&Options) -> Result<()>) -> ExitCode
where
    A: IntoIterator,
    A::Item: Into<OsString> + Clone,
{
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(error) => error.exit(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("RUST_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The shop's life: `serve` returns when it was asked to stop.
async fn run<S>(options: &Options, serve: S) -> Result<()>
where
    S: AsyncFnOnce(TcpListener, Shop, Web, Stopping) -> Result<()>,
{
    std::fs::create_dir_all(&options.data)
        .map_err(|e| format!("the folder {} cannot be made: {e}", options.data.display()))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address)
        .map_err(|e| format!("port {} cannot be used ({e}); choose another with --port", options.port))?;
    let home = Url::parse(&format!("http://{}/", listener.local_addr()?))?;

    let bank = match &options.sandbox {
        Some(control) => Banks::attach(control).await?,
        None => Banks::start(options.sandbox_port, &options.data.join("sandbox.json")).await?,
    };
    // Galaxy Pay is told with each request.
    for account in [GOLOMT_ECOMMERCE, GOLOMT_INSTORE] {
        bank.notify_to(account, home.join(&format!("tulbur/notify/{account}"))?).await?;
    }

    // The store comes first: it makes the file so that nobody else can read it.
    let store = open_store(&options.database()).await?;
    let goods = Goods::open(&options.database()).await?;
    let payments = open(options, &home, &bank, store, &goods).await?;
    let web =
        Web::new(payments.clone(), WebSettings::default().shop("Гурван зүйл").app_schemes(SANDBOX_APPS));
    let shop = Shop { payments: payments.clone(), goods };

    let asked_to_stop = stop_signal()?;
    announce(&home, &bank);
    // Told, watched and delivered in the background, until nobody is served any more.
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let background = tokio::spawn(async move { payments.run(async move { drop(ended.await) }).await });
    serve(listener, shop, web, asked_to_stop).await?;
    drop(end);
    background.await?;
    bank.shutdown().await;
    Ok(())
}

/// Everything that an application does to take payments.
async fn open(
    options: &Options,
    home: &Url,
    bank: &Banks,
    store: Arc<dyn Store>,
    goods: &Goods,
) -> Result<Payments> {
    let stop = Stop::at(options.stop_at.as_deref())?.dwelling(options.dwell.map(Duration::from_millis));
    let mut env = tulbur::reqwest::standard_env()?;
    if let Some(ahead) = options.clock_ahead {
        env.clock = Arc::new(WrongClock::new(env.clock, Duration::from_secs(ahead)));
    }
    env.transport = Arc::new(StopAtSent::new(env.transport, stop.clone()));

    let key = sealing_key(&options.data.join("sealing.key"))?;
    let keys = SealingKeys::new([("1", &key)])?;
    let clock: Arc<dyn Clock> = env.clock.clone();
    let mut builder = Payments::builder(store, clock, keys, home.join("tulbur/")?)
        .handler("shipping", Arc::new(goods.clone()))
        .probe(Arc::new(stop));
    for account in accounts(bank)? {
        builder = builder.account(Registry::linked()?.build(&account, &env)?);
    }
    let mut schedule = if options.hasty { hasty() } else { Schedule::default() };
    // Where a provider names no time of its own.
    schedule.lifetime = Duration::from_mins(15);
    schedule.longest_life = options.lifetime.map(Duration::from_secs);
    builder = builder.schedule(schedule);
    if options.hasty {
        // Tests have hundreds of payments at once, and the sandbox does not mind being asked.
        builder = builder.pace(Pace::default().per_second(500));
    }
    Ok(builder.build().await?)
}

/// The apps that the sandbox's QPay links to. A shop names those of its banks: [`tulbur::qpay::APP_SCHEMES`].
const SANDBOX_APPS: [&str; 4] =
    ["tulbur-sandbox-wallet", "tulbur-sandbox-bank-1", "tulbur-sandbox-bank-2", "tulbur-sandbox-bank-3"];

/// The accounts' settings. In production they come from TOML or the environment: `tulbur::core::accounts_from`.
fn accounts(banks: &Banks) -> Result<Vec<AccountConfig>> {
    let account = |name: &str| -> Result<AccountConfig> {
        let account = AccountConfig::new(AccountName::parse(name)?, ProviderId::parse(name)?);
        Ok(account.with("base_url", banks.of(name)?.base_url()))
    };
    let (ecommerce, instore) = (banks.of(GOLOMT_ECOMMERCE)?, banks.of(GOLOMT_INSTORE)?);
    let (galaxy, qpay) = (banks.of(GALAXY_PAY)?, banks.of(QPAY)?);
    let script = Url::parse(galaxy.base_url())?.join("checkout/vietjet/script-modal.js")?;
    Ok(vec![
        account(GOLOMT_ECOMMERCE)?
            .with("token", ecommerce.credential("token")?)
            .with("secret", ecommerce.credential("secret")?),
        account(GOLOMT_INSTORE)?
            .with("terminal", instore.credential("terminal")?)
            .with("secret", instore.credential("secret")?),
        account(GALAXY_PAY)?
            .with("api_key", galaxy.credential("api_key")?)
            .with("salt", galaxy.credential("salt")?)
            .with("checkout_script", script.as_str())
            // The operations whose fields nobody has documented: capture, void. The sandbox has them so.
            .with("accept", "inferred"),
        account(QPAY)?
            .with("username", qpay.credential("username")?)
            .with("password", qpay.credential("password")?)
            .with("invoice_code", qpay.credential("invoice_code")?),
    ])
}

/// Waiting times for tests, which have no ten minutes.
fn hasty() -> Schedule {
    let mut schedule = Schedule::default();
    schedule.operation_lease = Duration::from_millis(1500);
    schedule.longest_write = Some(Duration::from_millis(900));
    schedule.work_lease = Duration::from_millis(1500);
    schedule.unresolved_after = Duration::from_secs(5);
    schedule.margin = Duration::from_secs(2);
    schedule.longest_wait = Duration::from_secs(2);
    schedule.late_questions = [1, 5, 15, 60].map(Duration::from_secs);
    schedule.pace = Some(Poll { first: Duration::from_millis(300), every: Duration::from_millis(300) });
    schedule
}

/// The key that seals card tokens in the database, made at the first start and readable by its owner only.
fn sealing_key(path: &Path) -> Result<SecretString> {
    use base64::Engine;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Ok(key) = std::fs::read_to_string(path) {
        return Ok(SecretString::from(key));
    }
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    let key = base64::engine::general_purpose::STANDARD.encode(bytes);
    // Written whole under another name first: a process that dies here must not leave half a key.
    let draft = path.with_extension("draft");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    Ok(SecretString::from(key))
}

#[expect(clippy::print_stdout, reason = "this is what a person at the command line looks for")]
fn announce(home: &Url, bank: &Banks) {
    println!("The shop:        {home}");
    println!("The sandbox:     {}", bank.control_url());
    println!(
        "Test cards and the customer's phone are on the providers' pages. Ctrl-C stops; what was opened goes on at the next start."
    );
}

/// Resolves when the process is asked to stop. It listens from the moment this returns.
fn stop_signal() -> Result<Stopping> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }))
}
