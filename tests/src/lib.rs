//! Shared parts of the whole-system tests: the shop and the sandbox as processes of their own, and the bank's books.

pub mod browser;
pub mod codes;
pub mod leaks;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

/// The provider that the shop sells through.
pub const PROVIDER: &str = "golomt-ecommerce";

/// The shop that is tried: on axum, or on actix-web where `TULBUR_SHOP=actix` says so.
///
/// # Panics
/// When it says anything else.
pub fn shop_program(axum: &'static str, actix: &'static str) -> &'static str {
    match std::env::var("TULBUR_SHOP").as_deref() {
        Err(_) | Ok("axum") => axum,
        Ok("actix") => actix,
        Ok(other) => panic!("TULBUR_SHOP is axum or actix, not {other}"),
    }
}

/// A number from the environment.
///
/// # Panics
/// When it is no number.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// A small generator whose runs can be repeated: `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The same seed makes the same choices.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// One of them.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap_or(0)]
    }

    /// In another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            all.swap(last, other);
        }
    }
}

/// A port that was free a moment ago. It is below those that a system gives to whoever asks for any, so nobody is given
/// it until it is used, nor while its server is down to be started again.
pub fn free_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Programs that run side by side begin far from one another.
    let begin = std::process::id().wrapping_mul(61);
    (0..6000)
        .map(|_| begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % 6000)
        .map(|number| 20_000 + u16::try_from(number).expect("it is less than 6000"))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("loopback has a free port")
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// None once [`Process::points`] reads it.
    out: Option<Lines<BufReader<ChildStdout>>>,
}

impl Process {
    /// Starts a program; what it prints can be waited for, and its complaints go to a file.
    pub fn start(program: &str, arguments: &[String], log: &Path, level: &str) -> Self {
        let complaints =
            std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log can be written");
        let mut child = Command::new(program)
            .args(arguments)
            .env("RUST_LOG", level)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(complaints)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let out = child.stdout.take().expect("its output is piped");
        Self { child, out: Some(BufReader::new(out).lines()) }
    }

    /// The first line that begins so, within a minute: in a long run the sandbox has much to write between two answers.
    pub async fn line(&mut self, beginning: &str) -> String {
        let found = self.line_or_end(beginning).await;
        found.unwrap_or_else(|| panic!("it ended without a line `{beginning}…`; see its log"))
    }

    /// As [`Process::line`]; none if it ended without one.
    pub async fn line_or_end(&mut self, beginning: &str) -> Option<String> {
        let out = self.out.as_mut().expect("nobody else reads it");
        let found = tokio::time::timeout(Duration::from_mins(1), async {
            while let Some(line) = out.next_line().await.expect("its output is text") {
                if line.starts_with(beginning) {
                    return Some(line);
                }
            }
            None
        });
        found
            .await
            .unwrap_or_else(|late| panic!("no line `{beginning}…` within a minute ({late}); see its log"))
    }

    /// Stops it where it stands, until it is sent on; it can be killed all the same, and is when it is dropped.
    pub async fn pause(&self) {
        self.signal("-STOP").await;
    }

    /// Lets it go on after [`Process::pause`].
    pub async fn resume(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.expect("kill is there");
        assert!(sent.success());
    }

    /// Reads what it prints from now on, and says at which points of writes it is.
    fn points(&mut self) -> watch::Receiver<Vec<String>> {
        let (send, receive) = watch::channel(Vec::new());
        if let Some(mut out) = self.out.take() {
            tokio::spawn(async move {
                while let Ok(Some(line)) = out.next_line().await {
                    match line.split_once(' ') {
                        Some(("at", point)) => send.send_modify(|points| points.push(point.to_owned())),
                        Some(("past", point)) => send.send_modify(|points| {
                            if let Some(place) = points.iter().position(|one| one == point) {
                                points.swap_remove(place);
                            }
                        }),
                        _ => {}
                    }
                }
            });
        }
        receive
    }

    /// `kill -9`, and its end.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has.
    pub async fn terminate(mut self) {
        self.signal("-TERM").await;
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        assert!(ended.expect("it ends within twenty seconds").expect("it can be waited for").success());
    }
}

/// The sandbox as a process of its own, and its control API: the judge of what was paid.
#[derive(Debug)]
pub struct Sandbox {
    process: Process,
    /// The control address, without a slash at the end.
    pub control: String,
    /// The bank's address, without a slash at the end.
    pub bank: String,
    http: reqwest::Client,
}

impl Sandbox {
    /// Starts one on free ports, its state in `folder`.
    pub async fn start(program: &str, folder: &Path) -> Self {
        let state = folder.join("sandbox.json").display().to_string();
        let arguments = ["sandbox", "--port", "0", "--json", "--state", &state].map(str::to_owned);
        let mut process = Process::start(program, &arguments, &folder.join("sandbox.log"), "warn");
        let ready: Value = serde_json::from_str(&process.line("{").await).expect("the ready line is JSON");
        let text = |value: &Value| value.as_str().expect("an address").trim_end_matches('/').to_owned();
        Self {
            control: text(&ready["control"]),
            bank: text(&ready["providers"][PROVIDER]["base_url"]),
            process,
            // The sandbox closes what was idle for thirty seconds; nothing is sent on a connection that may be closing.
            http: reqwest::Client::builder()
                .pool_idle_timeout(Duration::from_secs(10))
                .build()
                .expect("a client can be built"),
        }
    }

    /// The providers that it plays, as it describes them.
    pub async fn providers(&self) -> Vec<Value> {
        let answer = self.http.get(format!("{}/api/providers", self.control)).send().await;
        answer.expect("the sandbox answers").json().await.expect("they are a list")
    }

    /// One provider's books.
    pub fn books(&self, provider: &str) -> Books {
        Books { address: format!("{}/api/{provider}", self.control), http: self.http.clone() }
    }

    /// All payments in the card bank's books.
    pub async fn payments(&self) -> Vec<Value> {
        self.books(PROVIDER).payments().await
    }

    /// How often the card payment of this reference was debited.
    pub async fn debits(&self, reference: &str) -> u64 {
        let payments = self.payments().await;
        let found = payments.iter().find(|payment| payment["reference"] == reference);
        found.and_then(|payment| payment["debits"].as_u64()).unwrap_or(0)
    }

    /// [`Books::act`] at the card bank.
    pub async fn act(&self, reference: &str, action: &str, details: &Value) -> bool {
        self.books(PROVIDER).act(reference, action, details).await
    }

    /// [`Books::fault`] at the card bank.
    pub async fn fault(&self, fault: &Value) {
        self.books(PROVIDER).fault(fault).await;
    }

    /// [`Books::get`] at the card bank.
    pub async fn get(&self, path: &str) -> Value {
        self.books(PROVIDER).get(path).await
    }

    /// Ends it.
    pub async fn kill(self) {
        self.process.kill().await;
    }
}

/// The control API of one provider in the sandbox.
#[derive(Debug, Clone)]
pub struct Books {
    address: String,
    http: reqwest::Client,
}

impl Books {
    /// All payments.
    pub async fn payments(&self) -> Vec<Value> {
        let answer = self.http.get(format!("{}/payments", self.address)).send().await;
        answer.expect("the sandbox answers").json().await.expect("its payments are a list")
    }

    /// One payment; null if the provider knows none.
    pub async fn payment(&self, reference: &str) -> Value {
        let answer = self.http.get(format!("{}/payments/{reference}", self.address)).send().await;
        let answer = answer.expect("the sandbox answers");
        if answer.status().is_success() { answer.json().await.expect("it is JSON") } else { Value::Null }
    }

    /// Does something to a payment, such as `pay`. `false` if the provider does not know it or it is over.
    pub async fn act(&self, reference: &str, action: &str, details: &Value) -> bool {
        let url = format!("{}/payments/{reference}/{action}", self.address);
        let answer = self.http.post(url).json(details).send().await.expect("the sandbox answers");
        answer.status().is_success()
    }

    /// Orders a fault, as the control API takes it; its number.
    pub async fn fault(&self, fault: &Value) -> u64 {
        let answer = self.http.post(format!("{}/faults", self.address)).json(fault).send().await;
        let answer = answer.expect("the sandbox answers");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        let fault: Value = answer.json().await.expect("it is JSON");
        fault["id"].as_u64().expect("a fault has a number")
    }

    /// Takes all waiting faults away.
    pub async fn calm(&self) {
        let answer = self.http.delete(format!("{}/faults", self.address)).send().await;
        assert!(answer.expect("the sandbox answers").status().is_success());
    }

    /// `GET` of the control API.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}/{path}", self.address)).send().await;
        answer.expect("the sandbox answers").json().await.expect("it is JSON")
    }
}

/// The shop as a process of its own, on one port and one folder through all its lives.
#[derive(Debug)]
pub struct Shop {
    program: String,
    /// Its folder.
    pub folder: PathBuf,
    port: u16,
    control: String,
    level: String,
    further: Vec<String>,
    process: Option<Process>,
    /// The points of writes at which it dwells, if it was told to.
    points: Option<watch::Receiver<Vec<String>>>,
    http: reqwest::Client,
}

impl Shop {
    /// A shop that is not running yet.
    pub fn new(program: &str, folder: &Path, sandbox: &Sandbox) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client can be built");
        Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            port: free_port(),
            control: sandbox.control.clone(),
            level: "warn".to_owned(),
            further: Vec::new(),
            process: None,
            points: None,
            http,
        }
    }

    /// With another level of logging.
    #[must_use]
    pub fn logging(mut self, level: &str) -> Self {
        level.clone_into(&mut self.level);
        self
    }

    /// With a further option and its value, through all its lives.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.further.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Where its data is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its address, with a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Starts it, and waits until it answers.
    pub async fn start(&mut self, stop_at: Option<&str>) {
        let text = |path: &Path| path.display().to_string();
        let mut arguments: Vec<String> = ["--hasty", "--port"].map(str::to_owned).to_vec();
        arguments.push(self.port.to_string());
        arguments.extend([
            "--data".to_owned(),
            text(&self.folder),
            "--sandbox".to_owned(),
            self.control.clone(),
        ]);
        arguments.extend(self.further.iter().cloned());
        if let Some(point) = stop_at {
            arguments.extend(["--stop-at".to_owned(), point.to_owned()]);
        }
        let mut process =
            Process::start(&self.program, &arguments, &self.folder.join("shop.log"), &self.level);
        process.line("The shop:").await;
        self.points = self.further.iter().any(|option| option == "--dwell").then(|| process.points());
        self.process = Some(process);
    }

    /// Waits until the shop dwells at a point of a write that is called so, or begins so, but not for longer than this.
    pub async fn dwells(&mut self, at: &str, patience: Duration) {
        let points = self.points.as_mut().expect("it was started with `--dwell`");
        drop(
            tokio::time::timeout(
                patience,
                points.wait_for(|points| points.iter().any(|point| point.starts_with(at))),
            )
            .await,
        );
    }

    /// Stops it where it stands, and says at which points of writes that is.
    pub async fn pause(&mut self) -> Vec<String> {
        self.process.as_ref().expect("it runs").pause().await;
        // What it printed before may still be on its way.
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.points.as_ref().map(|points| points.borrow().clone()).unwrap_or_default()
    }

    /// Lets it go on after [`Shop::pause`].
    pub async fn resume(&self) {
        self.process.as_ref().expect("it runs").resume().await;
    }

    /// Waits until it stands still at the point that it was started with.
    pub async fn stopped(&mut self, point: &str) {
        self.process.as_mut().expect("it runs").line(&format!("stopped at {point}")).await;
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.process.take().expect("it runs").kill().await;
    }

    /// Ends it as Ctrl-C does.
    pub async fn terminate(&mut self) {
        self.process.take().expect("it runs").terminate().await;
    }

    /// Posts a form; the status and where it redirects to. None if the shop died over it.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Option<(u16, String)> {
        let answer = self.http.post(format!("{}{path}", self.url())).form(form).send().await.ok()?;
        let location =
            answer.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Some((answer.status().as_u16(), location.to_owned()))
    }

    /// Buys; as [`Shop::post`].
    pub async fn buy(&self, order: &str, way: &str, card: Option<&str>) -> Option<(u16, String)> {
        self.buying(order, way, card).await
    }

    /// Buys, in a future of its own that the shop may die over.
    pub fn buying(
        &self,
        order: &str,
        way: &str,
        card: Option<&str>,
    ) -> impl Future<Output = Option<(u16, String)>> + Send + use<> {
        let mut form = vec![("order", order.to_owned()), ("product", "tea".into()), ("way", way.to_owned())];
        form.extend(card.map(|card| ("card", card.to_owned())));
        let request = self.http.post(format!("{}buy", self.url())).form(&form);
        async move {
            let answer = request.send().await.ok()?;
            let location =
                answer.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
            Some((answer.status().as_u16(), location.to_owned()))
        }
    }

    /// A caller of the shop that does not keep it from being killed.
    pub fn caller(&self) -> Caller {
        Caller { home: self.url(), http: self.http.clone() }
    }

    /// A page as text.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.url())).send().await.expect("the shop answers");
        answer.text().await.expect("it is text")
    }

    /// An order as the shop knows it; null if it knows none.
    pub async fn order(&self, order: &str) -> Value {
        let answer = self.http.get(format!("{}api/orders/{order}", self.url())).send().await;
        let answer = answer.expect("the shop answers");
        if answer.status().as_u16() == 404 {
            return Value::Null;
        }
        answer.json().await.expect("an order is JSON")
    }

    /// What the shop lists for a person.
    pub async fn attention(&self) -> Vec<Value> {
        let items = self.caller().json("api/attention").await.expect("the shop answers");
        items.as_array().cloned().unwrap_or_default()
    }

    /// The references of an order's payments.
    pub async fn references(&self, order: &str) -> Vec<String> {
        let order = self.order(order).await;
        let payments = order["payments"].as_array().cloned().unwrap_or_default();
        payments.iter().filter_map(|payment| payment["reference"].as_str().map(str::to_owned)).collect()
    }

    /// The id of the first saved card on the shop's page.
    pub async fn card(&self) -> Option<String> {
        let page = self.page("").await;
        let (_, rest) = page.split_once("<option value=\"")?;
        rest.split_once('"').map(|(card, _)| card.to_owned())
    }
}

/// Calls a shop that may die over it.
#[derive(Debug, Clone)]
pub struct Caller {
    home: String,
    http: reqwest::Client,
}

impl Caller {
    /// Posts a form; the status and where it redirects to, or what it says. None if the shop died over it.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Option<(u16, String)> {
        let answer = self.http.post(format!("{}{path}", self.home)).form(form).send().await.ok()?;
        let status = answer.status().as_u16();
        let location =
            answer.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Some((
            status,
            match location {
                Some(location) => location,
                None => answer.text().await.ok()?,
            },
        ))
    }

    /// `GET` of JSON. None if the shop died over it or did not answer with any.
    pub async fn json(&self, path: &str) -> Option<Value> {
        self.get(path).await.filter(|(status, _)| *status == 200).map(|(_, value)| value)
    }

    /// `GET`: the status, and the JSON, or null if it is none. None if the shop died over it.
    pub async fn get(&self, path: &str) -> Option<(u16, Value)> {
        let answer = self.http.get(format!("{}{path}", self.home)).send().await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&body).unwrap_or_default()))
    }
}

/// Tries until it holds; the last complaint if it does not within `limit`.
///
/// # Panics
/// With that complaint.
pub async fn eventually<F>(limit: Duration, mut check: impl FnMut() -> F)
where
    F: Future<Output = Result<(), String>>,
{
    let began = Instant::now();
    loop {
        match check().await {
            Ok(()) => return,
            Err(complaint) if began.elapsed() > limit => panic!("after {limit:?}: {complaint}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
