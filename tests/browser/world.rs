//! What a scenario plays in: a browser, a shop, a bank.

use std::io::Write;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tulbur_tests::browser::{Browser, Tools, say_aloud};
use tulbur_tests::codes::{codes, codes_by_zbar};
use tulbur_tests::leaks::leaks;
use tulbur_tests::{PROVIDER, Sandbox, Shop, eventually, shop_program};

/// The providers beside the card bank.
pub(crate) const INSTORE: &str = "golomt-instore";
pub(crate) const GALAXY: &str = "galaxy-pay";

/// Longer than every question that the hasty shop asks.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A page that hears nothing looks for itself after thirty seconds; a live one is to be sooner.
const LIVE: Duration = Duration::from_secs(15);

/// The sandbox's test cards.
pub(crate) const GOOD: &str = "9999 9900 0000 0006";
pub(crate) const DECLINED: &str = "9999 9900 0000 0014";
pub(crate) const EXPIRED: &str = "9999 9900 0000 0022";
pub(crate) const PENDING: &str = "9999 9900 0000 0030";
pub(crate) const TOKEN_DECLINED: &str = "9999 9900 0000 0048";

/// Galaxy Pay's test cards: a domestic one, which asks for an OTP, and two that do and do not ask for 3-D Secure.
pub(crate) const NAPAS: &str = "9704 0000 0000 0018";
pub(crate) const MASTER_3DS: &str = "5506 9208 0924 3667";
pub(crate) const VISA: &str = "4012 0000 3333 0026";

const SECRETS: [&str; 5] = [
    "sandbox-golomt-token",
    "sandbox-golomt-secret",
    "sandbox-instore-secret",
    "sandbox-galaxy-key",
    "sandbox-galaxy-salt",
];

/// A browser, the shop that it visits, and the bank.
pub(crate) struct World {
    pub(crate) browser: Browser,
    pub(crate) shop: Shop,
    pub(crate) sandbox: Sandbox,
    /// What the browser may complain about, by a part of it.
    excused: Vec<&'static str>,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// Plays a scenario, and says on the output that it was played.
pub(crate) async fn scenario(name: &str, play: impl AsyncFnOnce(&mut World)) {
    scenario_with(name, true, &[], play).await;
}

/// As [`scenario`], with options of the shop and their values.
pub(crate) async fn scenario_of_a_shop(
    options: &[(&str, &str)],
    name: &str,
    play: impl AsyncFnOnce(&mut World),
) {
    scenario_with(name, true, options, play).await;
}

/// As [`scenario`], in a browser that runs no scripts.
pub(crate) async fn scenario_without_scripts(name: &str, play: impl AsyncFnOnce(&mut World)) {
    scenario_with(name, false, &[], play).await;
}

/// What drives the browser. `None`, said aloud, where there is none and none is required.
pub(crate) fn tools(scenario: &str) -> Option<Tools> {
    match Tools::find() {
        Ok(tools) => Some(tools),
        Err(why) if std::env::var_os("TULBUR_REQUIRE_BROWSER").is_some_and(|value| value == "1") => {
            panic!("TULBUR_REQUIRE_BROWSER is set, and {why}");
        }
        Err(why) => {
            say_aloud(&format!("\n*** browser scenario SKIPPED: {scenario}\n*** {why}\n"));
            None
        }
    }
}

async fn scenario_with(
    name: &str,
    scripts: bool,
    options: &[(&str, &str)],
    play: impl AsyncFnOnce(&mut World),
) {
    let Some(tools) = tools(name) else { return };
    let mut world = World::open(&tools, scripts, options).await;
    let played = AssertUnwindSafe(async {
        play(&mut world).await;
        world.search_pages().await;
    });
    let played = played.catch_unwind().await;
    if played.is_err() {
        world.browser.last_picture(&name.replace(' ', "-")).await;
        say_aloud(&format!("\n{}", world.logs()));
    }
    world.browser.close().await;
    if let Err(panic) = played {
        resume_unwind(panic);
    }
    passed(name);
}

/// Past the harness, which keeps the output of tests that pass to itself: scenarios are counted by this line.
pub(crate) fn passed(scenario: &str) {
    drop(writeln!(std::io::stdout(), "browser scenario passed: {scenario}"));
}

impl World {
    async fn open(tools: &Tools, scripts: bool, options: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let [bank, shop] = ["bank", "shop"].map(|name| folder.path().join(name));
        for made in [&bank, &shop] {
            std::fs::create_dir(made).expect("a folder can be made");
        }
        let sandbox = Sandbox::start(env!("CARGO_BIN_EXE_tulbur-process"), &bank).await;
        let program =
            shop_program(env!("CARGO_BIN_EXE_shop-process"), env!("CARGO_BIN_EXE_shop-actix-process"));
        let shop = Shop::new(program, &shop, &sandbox);
        let mut shop = options.iter().fold(shop, |shop, (name, value)| shop.option(name, value));
        shop.start(None).await;
        let log = folder.path().join("driver.log");
        let browser = Browser::open(tools, scripts, &log, screenshots()).await;
        Self {
            browser,
            shop,
            sandbox,
            // Browsers ask every site for one by themselves, and the shop has none.
            excused: vec!["favicon.ico"],
            http: reqwest::Client::new(),
            _folder: folder,
        }
    }

    /// Takes a complaint of the browser for granted in this scenario.
    pub(crate) fn excuse(&mut self, complaint: &'static str) {
        self.excused.push(complaint);
    }

    fn logs(&self) -> String {
        let log = std::fs::read_to_string(self.shop.folder.join("shop.log")).unwrap_or_default();
        format!("the shop's log:\n{log}")
    }

    /// Sets switches of the card bank.
    pub(crate) async fn switch(&self, values: Value) {
        self.switch_at(PROVIDER, values).await;
    }

    /// Sets switches of a provider.
    pub(crate) async fn switch_at(&self, provider: &str, values: Value) {
        let url = format!("{}/api/{provider}/switches", self.sandbox.control);
        let answer = self.http.put(url).json(&values).send().await.expect("the sandbox answers");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    }

    /// Has the bank send every notification again that it has sent so far.
    pub(crate) async fn repeat_notifications(&self) {
        let pushes = self.sandbox.get("pushes").await;
        let ids: Vec<u64> =
            pushes.as_array().into_iter().flatten().filter_map(|push| push["id"].as_u64()).collect();
        assert!(!ids.is_empty(), "the bank has sent none: {pushes}");
        for id in &ids {
            let url = format!("{}/api/{PROVIDER}/pushes/{id}/resend", self.sandbox.control);
            let answer = self.http.post(url).send().await.expect("the sandbox answers");
            assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        }
        eventually(PATIENCE, || async {
            let pushes = self.sandbox.get("pushes").await;
            let all = pushes.as_array().cloned().unwrap_or_default();
            let answered = |push: &Value| push["attempts"].as_array().is_some_and(|tries| !tries.is_empty());
            let done = all.len() == 2 * ids.len() && all.iter().all(answered);
            done.then_some(()).ok_or_else(|| format!("the notifications are {pushes}"))
        })
        .await;
    }

    /// Opens the shop and chooses a way to pay for tea; the order that this makes.
    pub(crate) async fn choose(&self, way: &str) -> String {
        self.choose_for("tea", way).await
    }

    /// The same for another product.
    pub(crate) async fn choose_for(&self, product: &str, way: &str) -> String {
        self.browser.goto(&self.shop.url()).await;
        let order = self.order_of(product).await;
        self.browser.click(&format!("#{product} button[value='{way}']")).await;
        order
    }

    /// The order that the shop's form for tea will make.
    pub(crate) async fn order_of_the_form(&self) -> String {
        self.order_of("tea").await
    }

    async fn order_of(&self, product: &str) -> String {
        let field = format!("document.querySelector(\"#{product} input[name='order']\")?.value");
        self.browser.until(&field).await.as_str().expect("it is a text").to_owned()
    }

    /// The address of a provider's own pages, without a slash at the end.
    pub(crate) async fn address_of(&self, provider: &str) -> String {
        let all = self.sandbox.providers().await;
        let found = all.iter().find(|known| known["id"] == provider).expect("the sandbox plays it");
        found["base_url"].as_str().expect("an address").trim_end_matches('/').to_owned()
    }

    /// Waits until a provider's page is open that has something.
    pub(crate) async fn at_page_of(&self, provider: &str, css: &str) {
        let origin = self.address_of(provider).await;
        self.browser
            .until(&format!("location.origin === {origin:?} && document.querySelector({css:?}) !== null"))
            .await;
    }

    /// Chooses a way to pay on the order's page.
    pub(crate) async fn choose_again(&self, order: &str, way: &str) {
        self.goto_order(order).await;
        self.browser.click(&format!("form.ways button[value='{way}']")).await;
    }

    /// The shop's page of an order.
    pub(crate) async fn goto_order(&self, order: &str) {
        self.browser.goto(&format!("{}orders/{order}", self.shop.url())).await;
        self.browser.until_there("#status").await;
        self.browser.keep("order").await;
    }

    /// Waits until the bank's page is open, by a part of its address.
    pub(crate) async fn at_bank(&self, page: &str) {
        let begins = format!("{}/{page}/", self.sandbox.bank);
        self.browser
            .until(&format!("location.href.startsWith({begins:?}) && !!document.querySelector('#pay')"))
            .await;
    }

    /// Fills in the bank's form for a card, without sending it.
    pub(crate) async fn fill_card(&self, number: &str) {
        self.browser.fill("input[name='number']", number).await;
        self.browser.fill("input[name='expiry']", "12/30").await;
        self.browser.fill("input[name='cvc']", "123").await;
        self.browser.fill("input[name='holder']", "BAT DORJ").await;
    }

    /// Pays with a card on the bank's page.
    pub(crate) async fn pay_with(&self, number: &str) {
        self.at_bank("payment").await;
        self.fill_card(number).await;
        self.browser.click("button[value='pay']").await;
    }

    /// Waits until the page of a payment at the shop shows a state such as `paid` or `pending/asking`.
    pub(crate) async fn until_state(&self, state: &str) {
        let home = self.shop.url();
        self.browser
            .until(&format!(
                "location.href.startsWith({home:?}) && \
                 document.querySelector('main')?.dataset.state?.startsWith({state:?})"
            ))
            .await;
        self.browser.keep(state).await;
    }

    /// Has an order's only payment paid elsewhere, and waits until the page says so: without being loaded again, and
    /// sooner than a page that hears nothing looks for itself.
    pub(crate) async fn is_paid_elsewhere(&self, order: &str) {
        let [booked] = self.booked(order).await.try_into().expect("the order has one payment");
        let (account, reference) = (text_of(&booked, "account"), text_of(&booked, "reference"));
        self.turns_to("paid", async {
            assert!(self.sandbox.books(&account).act(&reference, "pay", &json!({})).await);
        })
        .await;
    }

    /// Does something that the page must show in this state: without being loaded again, and soon.
    pub(crate) async fn turns_to(&self, state: &str, what: impl Future<Output = ()>) {
        self.browser.run("window.tulburTestMark = true").await;
        what.await;
        let began = Instant::now();
        self.until_state(state).await;
        assert!(began.elapsed() < LIVE, "the page heard of it after {:?} only", began.elapsed());
        assert_eq!(self.browser.run("return window.tulburTestMark").await, true, "the page was loaded again");
    }

    /// The references of an order's payments, oldest first.
    pub(crate) async fn references(&self, order: &str) -> Vec<String> {
        self.shop.references(order).await
    }

    /// Waits until the shop and the bank agree about an order: paid once, shipped once, each payment debited so often.
    pub(crate) async fn paid_once(&self, order: &str, debits: &[u64]) {
        eventually(PATIENCE, || async {
            let told = self.shop.order(order).await;
            let right = told["status"] == "paid" && told["paid_events"] == 1 && told["shipped"] == 1;
            right.then_some(()).ok_or_else(|| format!("the shop says {told}"))
        })
        .await;
        assert_eq!(self.debits(order).await, debits, "{}", self.shop.order(order).await);
    }

    /// An order that was opened once at the bank, however often its form was sent.
    pub(crate) async fn has_one_payment(&self, order: &str) {
        let told = self.shop.order(order).await;
        assert_eq!(told["payments"].as_array().map(Vec::len), Some(1), "{told}");
    }

    /// An order that nobody has paid, and the bank has debited nobody for.
    pub(crate) async fn is_unpaid(&self, order: &str, status: &str) {
        let told = self.shop.order(order).await;
        assert_eq!((&told["paid_events"], &told["shipped"]), (&json!(0), &json!(0)), "{told}");
        assert_eq!(told["status"], status, "{told}");
        assert!(self.debits(order).await.iter().all(|debits| *debits == 0), "{told}");
    }

    async fn debits(&self, order: &str) -> Vec<u64> {
        let booked = self.booked(order).await;
        booked.iter().map(|booked| booked["debits"].as_u64().unwrap_or(0)).collect()
    }

    /// What the providers' books have of an order's payments, oldest first, each with the account that it went to.
    pub(crate) async fn booked(&self, order: &str) -> Vec<Value> {
        let told = self.shop.order(order).await;
        let mut all = Vec::new();
        for payment in told["payments"].as_array().into_iter().flatten() {
            let (account, reference) = (text_of(payment, "account"), text_of(payment, "reference"));
            let mut booked = self.sandbox.books(&account).payment(&reference).await;
            assert_eq!(booked["reference"], reference, "{account} does not know {reference}");
            booked["account"] = json!(account);
            all.push(booked);
        }
        all
    }

    /// Searches every page of the shop that was looked at, and those that list everything, for what must not be shown.
    async fn search_pages(&self) {
        let home = self.shop.url();
        for page in ["", "orders"] {
            self.browser.goto(&format!("{home}{page}")).await;
            self.browser.keep(if page.is_empty() { "index" } else { page }).await;
        }
        let orders = self.browser.run("return [...document.querySelectorAll('td a')].map(a => a.href)").await;
        for order in orders.as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.browser.goto(order).await;
            self.browser.keep("order").await;
        }
        let numbers = [GOOD, DECLINED, EXPIRED, PENDING, TOKEN_DECLINED, NAPAS, MASTER_3DS, VISA]
            .map(|number| number.replace(' ', ""));
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let seen = self.browser.seen();
        let own: Vec<_> = seen.iter().filter(|page| page.url.starts_with(&home)).collect();
        assert!(own.len() > 2, "no page of the shop was looked at");
        for page in own {
            assert!(page.source.contains("</html>"), "{} at {} is no page", page.name, page.url);
            let leaks = leaks(&page.source, &SECRETS, &numbers);
            assert!(leaks.is_empty(), "{} at {} shows {leaks:?}", page.name, page.url);
        }
        let complaints = self.browser.complaints().await;
        let excused = |complaint: &String| self.excused.iter().any(|known| complaint.contains(known));
        let complaints: Vec<_> = complaints.into_iter().filter(|complaint| !excused(complaint)).collect();
        assert!(complaints.is_empty(), "the browser complains: {complaints:#?}");
    }
}

/// Every picture has one code, with this text, whoever decodes it.
pub(crate) fn all_show(pictures: &[Vec<u8>], text: &str) {
    for (number, picture) in pictures.iter().enumerate() {
        assert_eq!(codes(picture), [text], "picture {number}, by rqrr");
        if let Some(told) = codes_by_zbar(picture) {
            assert_eq!(told, [text], "picture {number}, by zbarimg");
        }
    }
}

/// A member that is a text.
pub(crate) fn text_of(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("there is no text {name} in {value}")).to_owned()
}

/// `browser` in the target folder.
pub(crate) fn screenshots() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    folder.parent().unwrap_or(folder).join("browser")
}
