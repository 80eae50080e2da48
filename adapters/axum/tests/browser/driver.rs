//! Chromium, driven through chromedriver: no more of it than the pages' tests need.

use std::io::{BufRead, BufReader as Lines};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How long a page may take to become what it is to become.
const PATIENCE: Duration = Duration::from_secs(25);

/// A screen that a page is looked at on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scale: u32,
    /// Whether it is touched, and not pointed at with a mouse.
    pub(crate) phone: bool,
    pub(crate) dark: bool,
}

/// A browser with a profile of its own. End it with [`Browser::close`].
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _folder: TempDir,
}

impl Browser {
    /// Starts one, if it is installed; what is missing otherwise.
    pub(crate) async fn open(scripts: bool) -> Result<Self, String> {
        let [chromium, chromedriver] = [("CHROMIUM", "chromium"), ("CHROMEDRIVER", "chromedriver")]
            .map(|(variable, name)| std::env::var(variable).unwrap_or_else(|_| name.to_owned()));
        let folder = tempfile::tempdir().unwrap();
        // It takes a free port of IPv4 and ends if the same of IPv6 is not free: then another is taken.
        let mut tries = 0;
        let (driver, port) = loop {
            let mut driver = Command::new(&chromedriver)
                .arg("--port=0")
                .env("TMPDIR", folder.path())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| format!("{chromedriver}: {error}"))?;
            let out = Lines::new(driver.stdout.take().unwrap());
            let port = out.lines().map_while(Result::ok).find_map(|line| {
                let port = line.split("started successfully on port ").nth(1)?;
                port.trim_end_matches('.').parse::<u16>().ok()
            });
            tries += 1;
            if port.is_some() || tries == 10 {
                break (driver, port);
            }
            drop(driver.wait());
        };
        let mut arguments: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--disable-sync",
            "--lang=en-US",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", folder.path().join("profile").display()));
        let content = if scripts { 1 } else { 2 };
        let mut options = json!({
            "args": arguments,
            "prefs": { "profile.managed_default_content_settings.javascript": content },
        });
        if chromium.contains('/') {
            options["binary"] = chromium.into();
        }
        let wishes = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let address = SocketAddr::from(([127, 0, 0, 1], port.ok_or("chromedriver does not start")?));
        let mut browser = Self { driver, address, session: String::new(), _folder: folder };
        let session = browser.command("POST", "session", &wishes).await;
        session["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        Ok(browser)
    }

    pub(crate) async fn close(self) {
        self.session("DELETE", "", &Value::Null).await;
    }

    async fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let sent = if method == "POST" { body.to_string() } else { String::new() };
        let asking = ask(self.address, method, path, &sent);
        let answer = tokio::time::timeout(Duration::from_mins(1), asking).await.expect("the driver answers");
        assert!(answer["value"].get("error").is_none(), "{path} {body}: {}", answer["value"]);
        answer["value"].clone()
    }

    async fn session(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("session/{}{path}", self.session);
        self.command(method, &path, body).await
    }

    async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.session("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.session("POST", "/url", &json!({ "url": url })).await;
    }

    /// Runs a script in the page; it is the test's own eye and hand, and no part of what is tested.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.session("POST", "/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&self, expression: &str) {
        let began = Instant::now();
        while self.run(&format!("return Boolean({expression})")).await != true {
            if began.elapsed() > PATIENCE {
                let page = self.run("return location.href + ' ' + document.body.innerText").await;
                panic!("`{expression}` is not true after {PATIENCE:?}: {page}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn on(&self, screen: Screen) {
        let Screen { width, height, scale, phone, dark, .. } = screen;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics).await;
        let touch = json!({ "enabled": phone, "maxTouchPoints": 5 });
        self.devtools("Emulation.setTouchEmulationEnabled", &touch).await;
        let hover = if phone { ("none", "coarse") } else { ("hover", "fine") };
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } },
            { "name": "hover", "value": hover.0 },
            { "name": "pointer", "value": hover.1 },
        ] });
        self.devtools("Emulation.setEmulatedMedia", &features).await;
    }

    /// The whole page as a PNG, also kept as a file to be looked at.
    pub(crate) async fn picture(&self, screen: Screen, name: &str) -> Vec<u8> {
        let metrics = self.devtools("Page.getLayoutMetrics", &json!({})).await;
        // Between two pages there is none.
        let height = metrics["cssContentSize"]["height"].as_u64().unwrap_or(0).max(screen.height.into());
        let whole = json!({
            "captureBeyondViewport": true,
            "clip": { "x": 0, "y": 0, "width": screen.width, "height": height, "scale": 1 },
        });
        let shot = self.devtools("Page.captureScreenshot", &whole).await;
        let picture = BASE64.decode(shot["data"].as_str().unwrap()).unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}-{}.png", screen.name)), &picture).unwrap();
        picture
    }

    /// What the browser has complained about: broken scripts, refused resources.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.session("POST", "/se/log", &json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        let messages = severe.map(|entry| entry["message"].to_string());
        // Every browser asks a host for its picture; that is the shop's.
        messages.filter(|message| !message.contains("/favicon.ico")).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// One request; the driver closes no connection, so the length says where its answer ends.
async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer).await.unwrap();
    serde_json::from_slice(&answer).expect("the driver answers JSON")
}

/// The texts of the QR codes in a picture, as a camera's decoder finds them.
pub(crate) fn codes(picture: &[u8]) -> Vec<String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(picture));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let samples = info.color_type.samples();
    let (width, height) = (info.width as usize, info.height as usize);
    // Green is the most of what an eye takes for brightness.
    let grey = |x: usize, y: usize| pixels[(y * width + x) * samples + usize::from(samples > 2)];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    let read = |code: rqrr::Grid<_>| {
        let mut bytes = Vec::new();
        code.decode_to(&mut bytes).ok().and_then(|_| String::from_utf8(bytes).ok())
    };
    image.detect_grids().into_iter().filter_map(read).collect()
}
