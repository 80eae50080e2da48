//! A real browser, used as a payer's hand would: Chromium, driven by chromedriver.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Process;

/// How long a page may take to become what it is to become.
const PATIENCE: Duration = Duration::from_secs(30);

/// A window of a desk, and the smallest phone that is common.
const SIZES: [Size; 2] = [
    Size { name: "desktop", width: 1280, height: 800, scale: 1, phone: false },
    Size { name: "phone", width: 360, height: 740, scale: 2, phone: true },
];

/// A screen that a page is looked at on.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    name: &'static str,
    width: u32,
    height: u32,
    scale: u32,
    phone: bool,
}

impl Size {
    /// The screen at a till that faces the customer.
    pub const TILL: Self = Self { name: "till", width: 1024, height: 600, scale: 1, phone: false };
}

/// The browser and what drives it, as installed on this machine.
#[derive(Debug, Clone)]
pub struct Tools {
    chromium: PathBuf,
    chromedriver: PathBuf,
}

impl Tools {
    /// Finds both: named by `CHROMIUM` and `CHROMEDRIVER`, or on the path.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub fn find() -> Result<Self, String> {
        let chromium = program("CHROMIUM", &["chromium", "chromium-browser", "google-chrome", "chrome"]);
        let chromedriver = program("CHROMEDRIVER", &["chromedriver", "chromium.chromedriver"]);
        match (chromium, chromedriver) {
            (Some(chromium), Some(chromedriver)) => Ok(Self { chromium, chromedriver }),
            (chromium, _) => {
                let missing = if chromium.is_none() { "chromium" } else { "chromedriver" };
                Err(format!(
                    "there is no {missing} on the path; on Debian `apt-get install chromium chromium-driver` brings \
                     both, elsewhere name them in CHROMIUM and CHROMEDRIVER"
                ))
            }
        }
    }
}

fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|file| file.is_file())
}

/// Says something on standard error that no test harness holds back.
pub fn say_aloud(text: &str) {
    // A closed standard error is no reason for a test to fail.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Starts a driver, and gives the line that says where. It takes a free port of IPv4 and ends if the same of IPv6 is not
/// free: then another is taken.
async fn start_driver(arguments: &[String], log: &Path) -> (Process, String) {
    for _ in 0..10 {
        let mut driver = Process::start("env", arguments, log, "warn");
        if let Some(started) = driver.line_or_end("ChromeDriver was started successfully on port").await {
            return (driver, started);
        }
    }
    panic!("chromedriver ends each time it is started; see {}", log.display())
}

/// A driver's error without its own call stack.
fn first_line(error: &CmdError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// A browser with a fresh profile. End it with [`Browser::close`].
#[derive(Debug)]
pub struct Browser {
    client: Client,
    driver: Process,
    /// What the driver can do beyond the standard, for this session.
    session: String,
    http: reqwest::Client,
    screenshots: PathBuf,
    _profile: TempDir,
    /// Pages that were looked at: what they were called, their address, their source.
    seen: Mutex<Vec<Seen>>,
}

/// A page that was looked at.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What the test calls it.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Its document as it stood.
    pub source: String,
}

impl Browser {
    /// Starts one; its screenshots go to this folder.
    pub async fn open(tools: &Tools, scripts: bool, log: &Path, screenshots: PathBuf) -> Self {
        let text = |path: &OsStr| path.to_str().expect("the path is text").to_owned();
        std::fs::create_dir_all(&screenshots).expect("the folder of screenshots can be made");
        let program = text(tools.chromedriver.as_os_str());
        let profile = tempfile::tempdir().expect("a folder can be made");
        // Chromium leaves things in the folder for temporary files, so it gets one that is removed.
        let own_folder = format!("TMPDIR={}", profile.path().display());
        let (driver, started) = start_driver(&[own_folder, program, "--port=0".to_owned()], log).await;
        let port: String = started.chars().filter(char::is_ascii_digit).collect();
        let address = format!("http://127.0.0.1:{port}");

        let mut arguments: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-extensions",
            "--disable-sync",
            "--lang=en-US",
            "--window-size=1280,900",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().join("profile").display()));
        let mut preferences = json!({ "intl.accept_languages": "en-US,en" });
        if !scripts {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
            preferences["profile.default_content_setting_values.javascript"] = json!(2);
        }
        let wishes = json!({
            "browserName": "chrome",
            "timeouts": { "implicit": 0, "script": 20_000, "pageLoad": 30_000 },
            "goog:chromeOptions": {
                "binary": text(tools.chromium.as_os_str()), "args": arguments, "prefs": preferences,
            },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(wishes) = wishes else { unreachable!("it is written as an object above") };
        let connected = ClientBuilder::new(HttpConnector::new()).capabilities(wishes).connect(&address).await;
        let client = connected.unwrap_or_else(|error| panic!("the browser does not start: {error}"));
        let id = client.session_id().await.expect("the driver answers").expect("a session has begun");
        Self {
            client,
            driver,
            session: format!("{address}/session/{id}"),
            http: reqwest::Client::builder().no_proxy().build().expect("a client can be built"),
            screenshots,
            _profile: profile,
            seen: Mutex::default(),
        }
    }

    /// Ends the browser, then its driver.
    pub async fn close(self) {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.client.close()).await;
        self.driver.kill().await;
        ended.expect("the browser ends within twenty seconds").expect("the browser ends");
    }

    /// Goes to an address, as if it were typed.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The button that goes back.
    pub async fn back(&self) {
        self.client.back().await.expect("the browser goes back");
    }

    /// The button that loads again.
    pub async fn reload(&self) {
        self.client.refresh().await.expect("the browser loads again");
    }

    /// The address of the page.
    pub async fn url(&self) -> String {
        self.client.current_url().await.map_or_else(|error| first_line(&error), String::from)
    }

    /// Runs a script in the page; it is the test's own eye and hand, and no part of what is tested.
    pub async fn run(&self, script: &str) -> Value {
        let result = self.client.execute(script, Vec::new()).await;
        result.unwrap_or_else(|error| panic!("`{script}`: {error}"))
    }

    /// Waits until an expression is true in whatever page there is, and gives its value.
    pub async fn until(&self, expression: &str) -> Value {
        let script = format!("return ({expression})");
        let began = Instant::now();
        loop {
            // While the browser goes from page to page there may be no document that answers.
            let answer = self.client.execute(&script, Vec::new()).await;
            if let Ok(value) = &answer
                && !matches!(value, Value::Null | Value::Bool(false))
                && value != ""
            {
                return answer.unwrap_or_default();
            }
            if began.elapsed() > PATIENCE {
                let state = answer.map_or_else(|error| first_line(&error), |value| value.to_string());
                let text = self.client.execute("return document.body.innerText", Vec::new()).await;
                let text = text.map_or_else(|error| first_line(&error), |text| text.to_string());
                panic!(
                    "after {PATIENCE:?} at {}: `{expression}` is {state}; the page says {text}",
                    self.url().await
                );
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Waits until something is there.
    pub async fn until_there(&self, css: &str) -> Element {
        self.until(&format!("document.querySelector({css:?}) !== null")).await;
        let found = self.client.find(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("`{css}`: {error}"))
    }

    /// Whether something is there now.
    pub async fn has(&self, css: &str) -> bool {
        self.run(&format!("return document.querySelector({css:?}) !== null")).await == true
    }

    /// The text of something, as it is shown, once it is there.
    pub async fn text(&self, css: &str) -> String {
        self.until_there(css).await;
        let text = self.run(&format!("return document.querySelector({css:?}).innerText")).await;
        text.as_str().unwrap_or_default().trim().to_owned()
    }

    /// The whole text of the page, as it is shown.
    pub async fn words(&self) -> String {
        self.text("body").await
    }

    /// Clicks on something once it is there.
    pub async fn click(&self, css: &str) {
        let clicked = self.until_there(css).await.click().await;
        clicked.unwrap_or_else(|error| panic!("a click on `{css}`: {error}"));
    }

    /// Clicks on something that leads where perhaps nobody answers.
    pub async fn try_click(&self, css: &str) {
        drop(self.until_there(css).await.click().await);
    }

    /// Clicks twice, as fast as a hand that is used to double-clicks.
    pub async fn click_twice(&self, css: &str) {
        let element = self.until_there(css).await;
        self.run(&format!("document.querySelector({css:?}).scrollIntoView({{ block: 'center' }})")).await;
        let mut mouse = MouseActions::new("mouse".to_owned()).then(PointerAction::MoveToElement {
            element,
            duration: None,
            x: 0.0,
            y: 0.0,
        });
        for _ in 0..2 {
            mouse = mouse.then(PointerAction::Down { button: MOUSE_BUTTON_LEFT });
            mouse = mouse.then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        }
        let clicked = self.client.perform_actions(mouse).await;
        clicked.unwrap_or_else(|error| panic!("a double click on `{css}`: {error}"));
    }

    /// Opens an address in a window of its own, which is then the one that is used.
    pub async fn open_window(&self, url: &str) {
        let opened = self.client.new_window(true).await.expect("the browser opens a window");
        self.client.switch_to_window(opened.handle).await.expect("the window is there");
        self.goto(url).await;
    }

    /// Goes on inside a frame of the page.
    pub async fn enter_frame(&self, css: &str) {
        let frame = self.until_there(css).await;
        frame.enter_frame().await.unwrap_or_else(|error| panic!("the frame `{css}`: {error}"));
    }

    /// Goes on in the page itself, whatever became of the frame.
    pub async fn leave_frames(&self) {
        self.command("frame", &json!({ "id": null })).await;
    }

    /// Closes the window that is used; the one before it is used again.
    pub async fn close_window(&self) {
        self.client.close_window().await.expect("the window closes");
        let left = self.client.windows().await.expect("the browser has windows").pop();
        let window = left.expect("it was not the last window");
        self.client.switch_to_window(window).await.expect("the window is there");
    }

    /// Types into a field that is emptied first.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.until_there(css).await;
        field.clear().await.unwrap_or_else(|error| panic!("`{css}` cannot be emptied: {error}"));
        field.send_keys(text).await.unwrap_or_else(|error| panic!("`{css}` takes no keys: {error}"));
    }

    /// Looks at the page: keeps its source, takes a screenshot at each size, and finds it readable on a phone.
    ///
    /// The screenshots as PNG.
    pub async fn look(&self, name: &str) -> Vec<Vec<u8>> {
        self.look_on(name, &SIZES).await
    }

    /// As [`Browser::look`], at these sizes.
    pub async fn look_on(&self, name: &str, sizes: &[Size]) -> Vec<Vec<u8>> {
        self.keep(name).await;
        let mut pictures = Vec::new();
        for size in sizes {
            let screen = json!({
                "width": size.width, "height": size.height, "deviceScaleFactor": size.scale, "mobile": size.phone,
            });
            self.devtools("Emulation.setDeviceMetricsOverride", &screen).await;
            let touch = json!({ "enabled": size.phone, "maxTouchPoints": 5 });
            self.devtools("Emulation.setTouchEmulationEnabled", &touch).await;
            let (hover, pointer) = if size.phone { ("none", "coarse") } else { ("hover", "fine") };
            let features = json!({ "features": [
                { "name": "hover", "value": hover }, { "name": "pointer", "value": pointer },
            ] });
            self.devtools("Emulation.setEmulatedMedia", &features).await;
            let metrics = self.devtools("Page.getLayoutMetrics", &json!({})).await;
            let (width, height) = (&metrics["cssContentSize"]["width"], &metrics["cssContentSize"]["height"]);
            let wide = width.as_u64().expect("a page has a width");
            assert!(
                wide <= u64::from(size.width),
                "{name} is {wide} wide on a {} of {}: it has to be pushed sideways",
                size.name,
                size.width
            );
            let whole = json!({
                "captureBeyondViewport": true,
                "clip": { "x": 0, "y": 0, "width": size.width, "height": height, "scale": 1 },
            });
            let shot = self.devtools("Page.captureScreenshot", &whole).await;
            let picture = BASE64.decode(shot["data"].as_str().unwrap_or_default()).expect("it is base64");
            let file = self.screenshots.join(format!("{name}-{}.png", size.name));
            std::fs::write(&file, &picture).expect("a screenshot can be written");
            pictures.push(picture);
        }
        self.devtools("Emulation.clearDeviceMetricsOverride", &json!({})).await;
        self.devtools("Emulation.setTouchEmulationEnabled", &json!({ "enabled": false })).await;
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [] })).await;
        pictures
    }

    /// Keeps the page's source, without a screenshot.
    pub async fn keep(&self, name: &str) {
        // While the browser goes from page to page there may be no whole document.
        let began = Instant::now();
        let source = loop {
            let source = self.client.source().await.expect("a page has a source");
            if source.contains("</html>") || began.elapsed() > PATIENCE {
                break source;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        };
        let url = self.url().await;
        let mut seen = self.seen.lock().expect("nobody panics with it");
        seen.push(Seen { name: name.to_owned(), url, source });
    }

    /// A screenshot of whatever there is, for a test that fails.
    pub async fn last_picture(&self, name: &str) {
        if let Ok(picture) = self.client.screenshot().await {
            drop(std::fs::write(self.screenshots.join(format!("{name}-failed.png")), picture));
        }
    }

    /// The pages that were looked at.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// What the browser has complained about and was not asked for yet: broken scripts, refused resources, failed loads.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.command("se/log", &json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A command of the browser's own protocol.
    async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command("goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    async fn command(&self, path: &str, body: &Value) -> Value {
        let answer = self.http.post(format!("{}/{path}", self.session)).json(body).send().await;
        let answer: Value = answer.expect("the driver answers").json().await.expect("it answers JSON");
        assert!(answer["value"].get("error").is_none(), "{path} {body}: {}", answer["value"]);
        answer["value"].clone()
    }
}
