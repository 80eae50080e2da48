//! `tulbur sandbox` as its own process: the ready line, clear failures, signals, and `kill -9`.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tulbur_sandbox::golomt_ecommerce::checksum;

const BANK: &str = "golomt-ecommerce";

struct Running {
    child: Child,
    ready: Value,
    http: reqwest::Client,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        Self::try_start(arguments).expect("it tells that it is ready")
    }

    /// None if it ended without being ready.
    fn try_start(arguments: &[&str]) -> Option<Self> {
        let mut child = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            child.wait().unwrap();
            return None;
        }
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Some(Self { child, ready, http })
    }

    fn base(&self) -> &str {
        self.ready["providers"][BANK]["base_url"].as_str().unwrap()
    }

    async fn invoice(&self, id: &str) -> Option<String> {
        let credentials = &self.ready["providers"][BANK]["credentials"];
        let values = [id, "1500.00", "GET", "http://127.0.0.1:9/back"];
        let body = json!({
            "transactionId": id, "amount": values[1], "returnType": values[2], "callback": values[3], "genToken": "Y",
            "checksum": checksum(credentials["secret"].as_str().unwrap(), &values),
        });
        let response = self
            .http
            .post(format!("{}/api/invoice", self.base()))
            .bearer_auth(credentials["token"].as_str().unwrap())
            .body(body.to_string())
            .send()
            .await
            .ok()?;
        let answer: Value = serde_json::from_str(&response.text().await.ok()?).ok()?;
        answer["invoice"].as_str().map(str::to_owned)
    }

    /// Pays as a payer does; says whether the payer was sent back as paid.
    async fn pay(&self, invoice: &str) -> bool {
        let form = "action=pay&number=9999990000000006&expiry=12%2F30&cvc=123&holder=A";
        let sent = self
            .http
            .post(format!("{}/payment/mn/{invoice}", self.base()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await;
        sent.is_ok_and(|response| {
            response.status() == 303
                && response.headers()["location"].to_str().unwrap_or_default().contains("status_code=000")
        })
    }

    async fn payments(&self) -> Vec<Value> {
        let url = format!("{}/api/{BANK}/payments", self.ready["control"].as_str().unwrap());
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tulbur"));
    command.args(arguments);
    command
}

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

#[tokio::test]
async fn json_prints_exactly_one_line_and_stays_until_it_is_told() {
    for signal in ["TERM", "INT"] {
        let mut running = Running::start(&["sandbox", "--port", "0", "--json"]);
        let bank = &running.ready["providers"][BANK];
        assert_eq!(
            bank["credentials"],
            json!({ "token": "sandbox-golomt-token", "secret": "sandbox-golomt-secret" })
        );
        let keys: Vec<_> = running.ready.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["control", "providers"]);
        assert!(running.invoice("A-1").await.is_some());

        assert!(running.child.try_wait().unwrap().is_none());
        running.signal(signal);
        let status = running.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "after SIG{signal}");
        let mut rest = String::new();
        running.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[tokio::test]
async fn the_providers_take_the_ports_after_the_control_page_and_taken_ports_are_told() {
    // Ports that are free now; another program may have one, so a few tries. They are below those that a system gives
    // to whoever asks for any, so no other test is given one in between.
    let first = 31_000 + u16::try_from(std::process::id() % 100).unwrap();
    for port in (first..first + 1000).step_by(50) {
        let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if !(port..port + 6).all(free) {
            continue;
        }
        let arguments = ["sandbox", "--port", &port.to_string(), "--json"];
        let Some(running) = Running::try_start(&arguments) else { continue };
        assert_eq!(running.ready["control"], format!("http://127.0.0.1:{port}"));
        assert_eq!(running.base(), format!("http://127.0.0.1:{}", port + 1));

        let (code, out, error) = output(&["sandbox", "--port", &port.to_string(), "--json"]);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        for words in [&format!("127.0.0.1:{port}"), "the control page", "choose another control port"] {
            assert!(error.contains(words), "{error}");
        }
        drop(running);
        let blocker = std::net::TcpListener::bind(("127.0.0.1", port + 1)).unwrap();
        let (code, _, error) = output(&["sandbox", "--port", &port.to_string()]);
        assert_eq!(code, Some(1));
        assert!(error.contains(&format!("127.0.0.1:{}", port + 1)) && error.contains(BANK), "{error}");
        drop(blocker);
        return;
    }
    panic!("no neighbouring ports were free");
}

#[tokio::test]
async fn notify_sets_the_push_address_and_mistakes_are_told() {
    let running = Running::start(&[
        "sandbox",
        "--port",
        "0",
        "--json",
        "--notify",
        "golomt-ecommerce=http://127.0.0.1:9/n?a=b",
    ]);
    let url = format!("{}/api/{BANK}/push-address", running.ready["control"].as_str().unwrap());
    let text = running.http.get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, r#"{"address":"http://127.0.0.1:9/n?a=b"}"#);

    for (value, code, words) in [
        ("nonsense", 2, "PROVIDER=URL"),
        ("nobody=http://127.0.0.1:9", 1, "it has: galaxy-pay, golomt-ecommerce"),
        ("golomt-ecommerce=shop", 1, "not an address"),
    ] {
        let (status, _, error) = output(&["sandbox", "--port", "0", "--notify", value]);
        assert_eq!(status, Some(code), "{error}");
        assert!(error.contains(words), "{error}");
    }
    let (status, _, error) = output(&["sandbox", "--port", "0", "--state", "/no/such/folder/file.json"]);
    assert_eq!(status, Some(1));
    assert!(error.contains("/no/such/folder/file.json"), "{error}");
}

#[test]
fn the_ready_message_is_for_people() {
    let mut child = command(&["sandbox", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !text.contains("Ctrl-C stops it.") {
        text.push_str(&lines.next().unwrap().unwrap());
        text.push('\n');
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for words in [
        "http://127.0.0.1:",
        "Golomt Bank E-Commerce",
        "sandbox-golomt-token",
        "sandbox-golomt-secret",
        "--notify",
    ] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn help_has_examples_and_wrong_arguments_are_2() {
    let (code, out, _) = output(&["sandbox", "--help"]);
    assert_eq!(code, Some(0));
    assert!(
        out.contains("Examples:") && out.contains("--notify golomt-ecommerce=http://127.0.0.1:8080"),
        "{out}"
    );
    assert_eq!(output(&[]).0, Some(2));
    assert_eq!(output(&["sandbox", "--port", "70000"]).0, Some(2));
    assert_eq!(output(&["--version"]).0, Some(0));
}

/// Whatever the sandbox has acknowledged is there after `kill -9`: invoices that were answered, and debits whose
/// payer was sent back.
#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let mut opened = Vec::new();
    let mut paid = Vec::new();
    for round in 0..8u64 {
        let running = Running::start(&["sandbox", "--port", "0", "--json", "--state", path(&file)]);
        check(&running, &opened, &paid).await;
        let process = running.child.id().to_string();
        // However slow the machine is, a payment is acknowledged before the kill.
        let (acknowledged, first) = std::sync::mpsc::channel();
        let killer = std::thread::spawn(move || {
            let _ = first.recv();
            std::thread::sleep(Duration::from_millis(37 * round));
            Command::new("kill").args(["-s", "KILL", &process]).status().unwrap();
        });
        for number in 0.. {
            let id = format!("R{round}-{number}");
            let Some(invoice) = running.invoice(&id).await else { break };
            opened.push(id.clone());
            if !running.pay(&invoice).await {
                break;
            }
            paid.push(id);
            let _ = acknowledged.send(());
        }
        drop(acknowledged);
        killer.join().unwrap();
    }
    let running = Running::start(&["sandbox", "--port", "0", "--json", "--state", path(&file)]);
    check(&running, &opened, &paid).await;
    assert!(paid.len() >= 8, "the rounds were too short to prove anything: {} payments", paid.len());
}

async fn check(running: &Running, opened: &[String], paid: &[String]) {
    let payments = running.payments().await;
    let debits = |id: &String| {
        payments
            .iter()
            .find(|payment| payment["reference"] == *id)
            .map(|payment| payment["debits"].as_u64().unwrap())
    };
    for id in opened {
        assert!(debits(id).is_some(), "invoice {id} was acknowledged and is gone");
    }
    for id in paid {
        assert_eq!(debits(id), Some(1), "payment {id}");
    }
}
