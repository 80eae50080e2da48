//! The control API and the control page.

use serde_json::{Value, json};
use tulbur_sandbox::Sandbox;

use crate::support::{BANK, Merchant, Reply, SUCCESS, start};

struct Control {
    url: String,
    http: reqwest::Client,
}

impl Control {
    fn of(sandbox: &Sandbox) -> Self {
        Self { url: sandbox.control_url().to_owned(), http: crate::support::http() }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        reply(request).await
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", &self.url)
            .header("sec-fetch-site", "same-origin")
            .body(serde_urlencoded::to_string(fields).unwrap());
        reply(request).await
    }
}

/// A provider in the list of all.
fn of<'a>(providers: &'a Value, id: &str) -> &'a Value {
    providers.as_array().unwrap().iter().find(|provider| provider["id"] == id).unwrap()
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    Reply { status, headers, text: response.text().await.unwrap() }
}

#[tokio::test]
async fn everything_is_settable_over_http() {
    let (sandbox, merchant, _bank) = start().await;
    let control = Control::of(&sandbox);
    let at = |rest: &str| format!("/api/golomt-ecommerce/{rest}");
    assert_eq!(control.ask("GET", "/healthz", None).await.json(), json!({ "ok": true }));

    let providers = control.ask("GET", "/api/providers", None).await.json();
    let ours = of(&providers, BANK);
    assert_eq!(ours["base_url"], merchant.base);
    assert_eq!(
        ours["credentials"],
        json!({ "token": "sandbox-golomt-token", "secret": "sandbox-golomt-secret" })
    );

    let invoice = merchant.invoice("A 1/ü").await;
    let payments = control.ask("GET", &at("payments"), None).await.json();
    let payment = &payments[0];
    assert_eq!(payment["transactionId"], "A 1/ü");
    assert_eq!(payment["invoice"], invoice);
    assert_eq!(
        (&payment["state"], &payment["debits"], &payment["debited_at"]),
        (&json!("open"), &json!(0), &Value::Null)
    );
    let escaped = "A%201%2F%C3%BC";
    assert_eq!(
        control.ask("GET", &at(&format!("payments/{escaped}")), None).await.json()["invoice"],
        invoice
    );
    let paid = control
        .ask("POST", &at(&format!("payments/{escaped}/pay")), Some(json!({ "card": "token-declined" })))
        .await;
    assert_eq!(paid.status, 200, "{}", paid.text);
    assert_eq!(
        (&paid.json()["payment"]["debits"], &paid.json()["payment"]["card"]),
        (&json!(1), &json!("token-declined"))
    );
    let again = control.ask("POST", &at(&format!("payments/{escaped}/pay")), None).await;
    assert_eq!(again.status, 409);
    assert!(again.json()["error"].as_str().unwrap().contains("is paid"));

    for (id, action, details, state) in [
        ("D-1", "decline", json!({}), "declined"),
        ("D-2", "decline", json!({ "card": "expired" }), "declined"),
        ("D-3", "cancel", json!({}), "canceled"),
        ("D-4", "expire", json!({}), "expired"),
        ("D-5", "send", json!({}), "sent"),
    ] {
        merchant.invoice(id).await;
        let done = control.ask("POST", &at(&format!("payments/{id}/{action}")), Some(details)).await;
        assert_eq!(done.json()["payment"]["state"], state, "{}", done.text);
    }
    assert_eq!(control.ask("GET", &at("payments/D-2"), None).await.json()["code"], "300");

    let set = control
        .ask("PUT", &at("switches"), Some(json!({ "page-seconds": 5, "amount-echo": "shortest" })))
        .await;
    assert_eq!(set.json()["values"]["page-seconds"], "5");
    let switches = control.ask("GET", &at("switches"), None).await.json();
    assert_eq!(switches["values"]["amount-echo"], "shortest");
    let assumed: Vec<_> = switches["switches"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|switch| !switch["assumption"].is_null())
        .collect();
    assert!(assumed.len() >= 10 && assumed.iter().all(|switch| switch["id"] != "page-seconds"));

    let fault = control
        .ask("POST", &at("faults"), Some(json!({ "kind": "answer-lost", "times": null, "path": "/api/pay" })))
        .await;
    assert_eq!(fault.status, 201);
    assert_eq!(control.ask("GET", &at("faults"), None).await.json()[0], fault.json());
    let id = &fault.json()["id"];
    assert_eq!(control.ask("DELETE", &at(&format!("faults/{id}")), None).await.status, 204);
    assert_eq!(control.ask("DELETE", &at(&format!("faults/{id}")), None).await.status, 404);
    assert_eq!(control.ask("DELETE", &at("faults"), None).await.status, 204);

    let address = json!({ "address": "http://127.0.0.1:9/notify" });
    assert_eq!(control.ask("PUT", &at("push-address"), Some(address.clone())).await.json(), address);
    assert_eq!(control.ask("GET", &at("push-address"), None).await.json(), address);
    control.ask("PUT", &at("push-address"), Some(json!({ "address": null }))).await;
    assert!(control.ask("GET", &at("push-address"), None).await.json()["address"].is_null());
    let pushes = control.ask("GET", &at("pushes"), None).await.json();
    assert_eq!(pushes[0]["state"], "no-address");
    assert_eq!(control.ask("POST", &at("pushes/1/resend"), None).await.status, 409);

    let requests = control.ask("GET", &at("requests"), None).await.json();
    assert_eq!(requests[0]["target"], "/api/invoice");
    assert_eq!((&requests[0]["status"], &requests[0]["verdict"]), (&json!(200), &json!("accepted")));
    assert!(!requests.to_string().contains("sandbox-golomt-token"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_there_is() {
    let (sandbox, merchant, _bank) = start().await;
    merchant.invoice("A-1").await;
    let control = Control::of(&sandbox);
    for (method, path, body, status, words) in [
        ("GET", "/api/nobody/payments", None, 404, "it has: galaxy-pay, golomt-ecommerce,"),
        ("GET", "/api/golomt-ecommerce/payments/nobody", None, 404, "no payment"),
        ("POST", "/api/golomt-ecommerce/payments/nobody/pay", None, 404, "no payment"),
        (
            "POST",
            "/api/golomt-ecommerce/payments/A-1/fly",
            None,
            404,
            "it has: pay, decline, send, cancel, expire",
        ),
        ("POST", "/api/golomt-ecommerce/payments/A-1/pay", Some(json!({ "card": "gold" })), 400, "success"),
        (
            "POST",
            "/api/golomt-ecommerce/payments/A-1/decline",
            Some(json!({ "code": "000" })),
            400,
            "is not 000",
        ),
        (
            "POST",
            "/api/golomt-ecommerce/payments/A-1/pay",
            Some(json!({ "card": [] })),
            400,
            "must be a text",
        ),
        (
            "PUT",
            "/api/golomt-ecommerce/switches",
            Some(json!({ "nothing": "x" })),
            404,
            "it has: page-seconds",
        ),
        ("PUT", "/api/golomt-ecommerce/switches", Some(json!({ "page-seconds": 0 })), 400, "from 1 to 3600"),
        ("PUT", "/api/golomt-ecommerce/switches", Some(json!({ "amount-echo": "loud" })), 400, "as-sent"),
        ("PUT", "/api/golomt-ecommerce/push-address", Some(json!({ "address": "x" })), 400, "not an address"),
        ("POST", "/api/golomt-ecommerce/faults", Some(json!({ "kind": "meteor" })), 400, "answer-lost"),
        (
            "POST",
            "/api/golomt-ecommerce/faults",
            Some(json!({ "kind": "slow", "times": 0 })),
            400,
            "strikes never",
        ),
        ("POST", "/api/golomt-ecommerce/faults", Some(json!({ "kind": "slow", "when": 1 })), 400, "when"),
    ] {
        let reply = control.ask(method, path, body).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text);
        assert!(reply.json()["error"].as_str().unwrap().contains(words), "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn the_page_shows_everything_and_works_by_forms() {
    let (sandbox, merchant, bank) = start().await;
    let control = Control::of(&sandbox);
    let invoice = merchant.invoice("A 1").await;
    let index = control.ask("GET", "/", None).await;
    assert!(index.text.contains("Golomt Bank E-Commerce") && index.text.contains("sandbox-golomt-secret"));
    assert_eq!(control.ask("GET", "/control.css", None).await.status, 200);

    assert_eq!(control.form("/p/golomt-ecommerce/payments/A%201/pay", &[]).await.status, 303);
    assert_eq!(bank.payment("A 1").unwrap().debits, 1);
    let trouble = control.form("/p/golomt-ecommerce/payments/A%201/pay", &[]).await;
    assert_eq!(trouble.status, 409);
    assert!(trouble.text.contains("is paid"));
    control.form("/p/golomt-ecommerce/switches", &[("page-seconds", "77")]).await;
    assert_eq!(bank.switches()["page-seconds"], "77");
    control.form("/p/golomt-ecommerce/push-address", &[("address", "http://127.0.0.1:9/n")]).await;
    assert_eq!(bank.push_address().as_deref(), Some("http://127.0.0.1:9/n"));
    control.form("/p/golomt-ecommerce/push-address", &[("address", "")]).await;
    assert_eq!(bank.push_address(), None);
    let fields =
        [("kind", "slow"), ("times", "always"), ("path", "/api/pay"), ("reference", ""), ("ms", "5")];
    control.form("/p/golomt-ecommerce/faults", &fields).await;
    let fault = bank.faults().pop().unwrap();
    assert_eq!(
        (fault.times, fault.path.as_deref(), fault.reference, fault.ms),
        (None, Some("/api/pay"), None, Some(5))
    );
    assert_eq!(control.form("/p/golomt-ecommerce/faults", &[("kind", "x")]).await.status, 400);

    let page = control.ask("GET", "/p/golomt-ecommerce", None).await;
    for words in [
        "A 1",
        &invoice,
        "Assumption.",
        "always",
        "value=\"77\"",
        "no-address",
        "/api/invoice",
        "9999 9900 0000 0006",
    ] {
        assert!(page.text.contains(words), "{words}");
    }
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    control.form(&format!("/p/golomt-ecommerce/faults/{}/remove", fault.id), &[]).await;
    assert!(bank.faults().is_empty());
    assert_eq!(control.ask("GET", "/p/nobody", None).await.status, 404);
    assert_eq!(control.ask("GET", "/nowhere", None).await.status, 404);
}

/// The book's page lists what there is, with the defaults first; each provider has a section with its id as heading.
#[tokio::test]
async fn the_book_names_every_switch_fault_action_and_card() {
    let page = include_str!("../../../docs/src/sandbox.md");
    let (sandbox, ..) = start().await;
    for id in [BANK, "golomt-instore", "galaxy-pay", "golomt-mini-app", "qpay"] {
        let bank = sandbox.provider(id).unwrap();
        let heading = format!("### `{id}`\n");
        let (_, section) = page.split_once(&heading).unwrap_or_else(|| panic!("{id} has no section"));
        let section = section.split("\n#").next().unwrap();
        for switch in &bank.profile().switches {
            let name = format!("`{}`", switch.id);
            let line = section.lines().find(|line| line.starts_with('|') && line.contains(&name));
            let line = line.unwrap_or_else(|| panic!("{} is not in the book", switch.id));
            let mut cells = line.split('|').map(str::trim).skip(2);
            let (values, assumption) = (cells.next().unwrap(), cells.next().unwrap());
            assert!(values.trim_start_matches('`').starts_with(&switch.default), "{line}");
            assert_eq!(assumption.starts_with("yes"), switch.assumption.is_some(), "{line}");
        }
        for kind in &bank.profile().faults {
            assert!(page.contains(&format!("`{}`", kind.name())), "{kind:?}");
        }
        for action in &bank.profile().actions {
            assert!(section.contains(&format!("`{}`", action.name)), "{action:?}");
        }
        for (name, value) in bank.credentials().iter().filter(|(name, _)| *name != "public_key") {
            assert!(page.contains(&format!("`{value}`")), "{id}: {name}");
        }
    }
    let bank = tulbur_sandbox::golomt_ecommerce::TEST_CARDS.iter().map(|card| (card.number, card.id));
    let gateway = tulbur_sandbox::galaxy_pay::TEST_CARDS.iter().map(|card| (card.number, card.id));
    for (number, id) in bank.chain(gateway) {
        let row = page.lines().find(|line| line.replace(' ', "").starts_with(&format!("|{number}|`{id}`")));
        assert!(row.is_some(), "{id}");
    }
}

#[tokio::test]
async fn other_sites_and_other_names_are_turned_away() {
    let (sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    let control = Control::of(&sandbox);
    for (path, name, value) in [
        ("/api/golomt-ecommerce/payments/A-1/pay", "origin", "https://evil.example"),
        ("/p/golomt-ecommerce/payments/A-1/pay", "origin", "https://evil.example"),
        ("/api/golomt-ecommerce/payments/A-1/pay", "origin", "null"),
        ("/api/golomt-ecommerce/payments/A-1/pay", "sec-fetch-site", "cross-site"),
        ("/api/golomt-ecommerce/payments/A-1/pay", "host", "evil.example"),
    ] {
        let request = control.http.post(format!("{}{path}", control.url)).header(name, value);
        assert_eq!(reply(request).await.status, 403, "{name}: {value}");
    }
    let rebound =
        control.http.get(format!("{}/api/providers", control.url)).header("host", "evil.example:4000");
    let rebound = reply(rebound).await;
    assert_eq!(rebound.status, 403);
    assert!(!rebound.text.contains("sandbox-golomt-secret"));
    assert_eq!(bank.payment("A-1").unwrap().debits, 0);

    let named = Sandbox::builder().allow_host("sandbox.local").start().await.unwrap();
    let request =
        control.http.get(format!("{}/healthz", named.control_url())).header("host", "sandbox.local:4000");
    assert_eq!(reply(request).await.status, 200);

    // So are the providers' ports: their pages pay.
    let page = format!("{}/payment/mn/{invoice}", merchant.base);
    let form = "application/x-www-form-urlencoded";
    let fields = "action=pay&number=9999990000000006&expiry=12/30&cvc=123&holder=TEST+PAYER";
    let pay = || merchant.http.post(&page).header("content-type", form).body(fields);
    let phone = format!("{}/-/phone", sandbox.base_url("golomt-mini-app").unwrap());
    let open = || merchant.http.post(&phone).header("content-type", form).body("customer=bat");
    for (name, value) in [
        ("host", "evil.example"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", control.url.as_str()),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for request in [pay(), open()] {
            let refused = reply(request.header(name, value)).await;
            assert_eq!(refused.status, 403, "{name}: {value}");
        }
    }
    assert_eq!(bank.payment("A-1").unwrap().debits, 0);
    assert!(bank.requests().pop().unwrap().explanation.contains("another site's page"));
    let rebound = reply(merchant.http.get(&page).header("host", "evil.example:4001")).await;
    assert_eq!(rebound.status, 403);
    let invoice = merchant.http.post(format!("{}/api/invoice", merchant.base)).header("host", "evil.example");
    assert_eq!(reply(invoice).await.status, 403);

    // Its own pages may, and so does a shop's program, which has no origin.
    assert_eq!(reply(open()).await.status, 200);
    let own = pay().header("origin", merchant.base.as_str()).header("sec-fetch-site", "same-origin");
    assert_eq!(reply(own).await.status, 303);
    assert_eq!(bank.payment("A-1").unwrap().debits, 1);
    let page = format!("{}/-/page.css", named.base_url(BANK).unwrap());
    assert_eq!(reply(merchant.http.get(page).header("host", "sandbox.local")).await.status, 200);
}

#[tokio::test]
async fn a_merchant_can_be_built_from_the_control_api_alone() {
    let (sandbox, _merchant, _bank) = start().await;
    let control = Control::of(&sandbox);
    let providers = control.ask("GET", "/api/providers", None).await.json();
    let ours = of(&providers, BANK);
    let text = |name: &str| ours["credentials"][name].as_str().unwrap().to_owned();
    let merchant = Merchant {
        base: ours["base_url"].as_str().unwrap().to_owned(),
        token: text("token"),
        secret: text("secret"),
        http: crate::support::http(),
    };
    let invoice = merchant.invoice("A-1").await;
    assert_eq!(merchant.pay_page(&invoice, SUCCESS).await.status, 303);
}
