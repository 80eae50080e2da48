//! SocialPay's mini app: a token for a customer's data, and messages to the phone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tulbur_sandbox::{Fault, FaultKind, Provider, Sandbox};

use crate::support::{Reply, http};

const ID: &str = "golomt-mini-app";
const CHECK: &str = "/api/utility/miniapp/token/check?language=mn";
const PUSH: &str = "/api/utility/notification/push?language=mn";

/// A merchant with its own few lines of RSA: PKCS#1 v1.5 with a padding that is not even random.
struct Merchant {
    base: String,
    cert_id: String,
    key: RsaPublicKey,
    http: reqwest::Client,
}

async fn start() -> (Sandbox, Merchant, Provider) {
    let sandbox = Sandbox::builder().start().await.unwrap();
    let provider = sandbox.provider(ID).unwrap();
    let der = STANDARD.decode(&provider.credentials()["public_key"]).unwrap();
    let merchant = Merchant {
        base: provider.base_url().to_owned(),
        cert_id: provider.credentials()["cert_id"].clone(),
        key: RsaPublicKey::from_public_key_der(&der).unwrap(),
        http: http(),
    };
    (sandbox, merchant, provider)
}

impl Merchant {
    fn sign(&self, body: &str) -> String {
        let digest = hex::encode(Sha256::digest(body));
        let mut block = vec![0, 2];
        block.resize(self.key.size() - digest.len() - 1, 0xa5);
        block.push(0);
        block.extend_from_slice(digest.as_bytes());
        let bytes = BigUint::from_bytes_be(&block).modpow(self.key.e(), self.key.n()).to_bytes_be();
        STANDARD.encode([vec![0; self.key.size() - bytes.len()], bytes].concat())
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: &str) -> reqwest::Result<Reply> {
        let mut request = self.http.post(format!("{}{path}", self.base)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.header("content-type", "application/json").send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Reply { status, headers, text: response.text().await? })
    }

    async fn call(&self, path: &str, body: &str) -> Reply {
        let signature = self.sign(body);
        let headers = [("X-Golomt-Cert-Id", self.cert_id.as_str()), ("X-Golomt-Signature", &signature)];
        self.send(path, &headers, body).await.unwrap()
    }

    async fn redeem(&self, token: &str) -> Reply {
        self.call(CHECK, &json!({ "token": token }).to_string()).await
    }
}

/// The headers, the body, and words of the explanation.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

fn explained(provider: &Provider) -> String {
    provider.requests().pop().unwrap().explanation
}

#[tokio::test]
async fn a_token_is_good_once_and_says_who_the_customer_is() {
    let (_sandbox, merchant, socialpay) = start().await;
    let token = socialpay.act("bat", "open").unwrap();
    let reply = merchant.redeem(&token).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let data = reply.json();
    let mut names: Vec<_> = data.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "account",
        "email",
        "firstName",
        "imgUrl",
        "individualId",
        "lastName",
        "mobileNumber",
        "registerNumber",
    ];
    assert_eq!(names, expected);
    assert_eq!((&data["individualId"], &data["firstName"]), (&json!(9_000_000_001_u64), &json!("Бат")));

    let again = merchant.redeem(&token).await;
    assert_eq!(again.status, 400);
    assert!(again.json()["message"].is_string() && explained(&socialpay).contains("good once"));
    assert!(!format!("{:?}", socialpay.requests()).contains(&token));
    let record = socialpay.payment("bat").unwrap();
    assert_eq!((&record.details["tokensMade"], &record.details["tokensUsed"]), (&json!(1), &json!(1)));

    assert_eq!(merchant.redeem("0000").await.status, 400);
    assert!(explained(&socialpay).contains("never made here"));
    merchant.redeem(&format!("?token={token}")).await;
    assert!(explained(&socialpay).contains("joined twice"), "{}", explained(&socialpay));
    assert!(socialpay.act("nobody", "open").unwrap_err().to_string().contains("bat, tuya"));
    assert!(socialpay.act("bat", "pay").is_err());
}

#[tokio::test]
async fn a_tampered_request_is_refused_and_explained() {
    let (_sandbox, merchant, socialpay) = start().await;
    let token = socialpay.act("bat", "open").unwrap();
    let body = json!({ "token": token }).to_string();
    let good = merchant.sign(&body);
    let id = merchant.cert_id.as_str();
    let spaced = format!("{{\"token\": \"{token}\"}}");
    let cases: [Case<'_>; 7] = [
        (&[("X-Golomt-Signature", &good)], &body, "X-Golomt-Cert-Id is missing"),
        (&[("X-Golomt-Client-Id", id), ("X-Golomt-Signature", &good)], &body, "not X-Golomt-Client-Id"),
        (&[("X-Golomt-Cert-Id", "other"), ("X-Golomt-Signature", &good)], &body, "gave to nobody"),
        (&[("X-Golomt-Cert-Id", id)], &body, "X-Golomt-Signature is missing"),
        (&[("X-Golomt-Cert-Id", id), ("X-Golomt-Signature", "?")], &body, "not base64"),
        (&[("X-Golomt-Cert-Id", id), ("X-Golomt-Signature", &good)], &spaced, "the same JSON without spaces"),
        (&[("X-Golomt-Cert-Id", id), ("X-Golomt-Signature", &good)], "{}", "does not fit the body"),
    ];
    for (headers, body, words) in cases {
        let reply = merchant.send(CHECK, headers, body).await.unwrap();
        assert_eq!(reply.status, 400, "{words}");
        let why = explained(&socialpay);
        assert!(why.contains(words) && !why.contains(&token), "{words}: {why}");
    }
    let reply = merchant.call("/api/utility/miniapp/token/check", &body).await;
    assert!(reply.status == 400 && explained(&socialpay).contains("language"));
    assert_eq!(merchant.call("/utility/miniapp/token/check", &body).await.status, 404);
    assert!(explained(&socialpay).contains("ends in /api"));
    assert_eq!(merchant.call("/api/utility/miniapp/token/check?language=mn", "{}").await.status, 400);
    assert!(explained(&socialpay).contains("token is missing"));
    // None of this used the token up.
    assert_eq!(merchant.redeem(&token).await.status, 200);
}

#[tokio::test]
async fn a_message_arrives_on_the_phone() {
    let (_sandbox, merchant, socialpay) = start().await;
    let body = |id: Value| {
        json!({
            "individualId": id, "messageTitle": "Таны захиалга", "messageText": "<b>бэлэн</b>",
            "VIEW_ID": "5", "MINIAPP_URL": "https://shop.example/",
        })
        .to_string()
    };
    let reply = merchant.call(PUSH, &body(json!("9000000002"))).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "message": "Амжилттай" })));
    assert_eq!(socialpay.payment("tuya").unwrap().details["messages"][0]["title"], "Таны захиалга");
    let page = merchant.http.get(format!("{}/-/phone?customer=tuya", merchant.base)).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("Таны захиалга") && !page.contains("<b>бэлэн"), "{page}");
    assert!(
        page.contains(&socialpay.credentials()["public_key"].replace('+', "&#43;"))
            || page.contains("id=\"public-key\"")
    );

    merchant.call(PUSH, &body(json!(9_000_000_002_u64))).await;
    assert!(explained(&socialpay).contains("JSON number"));
    assert_ne!(merchant.call(PUSH, &body(json!("1"))).await.json()["message"], "Амжилттай");
    assert!(explained(&socialpay).contains("no customer"));
}

#[tokio::test]
async fn the_phone_opens_the_mini_app_with_a_token() {
    let (_sandbox, merchant, socialpay) = start().await;
    let form = async |url: &str| {
        let body = serde_urlencoded::to_string([("customer", "bat"), ("url", url)]).unwrap();
        let response = merchant
            .http
            .post(format!("{}/-/phone", merchant.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, page) = form("https://shop.example/app?from=sp").await;
    assert_eq!(status, 200);
    let start = "id=\"token\">";
    let token = &page[page.find(start).unwrap() + start.len()..][..32];
    assert!(page.contains(&format!("token={token}\"")), "{page}");
    assert_eq!(merchant.redeem(token).await.status, 200);
    let (status, page) = form("javascript:alert(1)").await;
    assert!(status == 422 && page.contains("id=\"problem\"") && !page.contains("id=\"mini-app\""), "{page}");

    let details = [("url".to_owned(), "https://shop.example/app?token=".to_owned())].into();
    let address = socialpay.act_with("bat", "open", details).unwrap();
    assert!(address.starts_with("https://shop.example/app?token=&token="), "{address}");
    socialpay.set_switch("token-address", "appended").unwrap();
    let details = [("url".to_owned(), "https://shop.example/app?token=".to_owned())].into();
    let address = socialpay.act_with("bat", "open", details).unwrap();
    assert!(address.starts_with("https://shop.example/app?token=?token="), "{address}");
    let details = [("url".to_owned(), "ftp://x".to_owned())].into();
    assert!(socialpay.act_with("bat", "open", details).is_err());
}

#[tokio::test]
async fn switches_faults_and_the_state_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let socialpay = sandbox.provider(ID).unwrap();
    let token = socialpay.act("tuya", "open").unwrap();
    socialpay.set_switch("individual-id", "text").unwrap();
    sandbox.shutdown().await;

    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let socialpay = sandbox.provider(ID).unwrap();
    let (_other, mut merchant, _) = start().await;
    merchant.base = socialpay.base_url().to_owned();
    assert_eq!(merchant.redeem(&token).await.json()["individualId"], "9000000002");
    for (value, status) in [("401", 401), ("200", 200), ("400", 400)] {
        socialpay.set_switch("error-http-status", value).unwrap();
        let reply = merchant.redeem(&token).await;
        assert_eq!(reply.status, status);
        assert!(reply.json()["individualId"].is_null());
    }
    socialpay.set_switch("token-seconds", "1").unwrap();
    let late = socialpay.act("tuya", "open").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(merchant.redeem(&late).await.status, 400);
    assert!(explained(&socialpay).contains("time is over"));

    socialpay.set_switch("token-seconds", "0").unwrap();
    let lost = socialpay.act("tuya", "open").unwrap();
    socialpay.add_fault(Fault::new(FaultKind::AnswerLost).for_reference("tuya")).unwrap();
    let body = json!({ "token": lost }).to_string();
    let signature = merchant.sign(&body);
    let headers = [("X-Golomt-Cert-Id", merchant.cert_id.as_str()), ("X-Golomt-Signature", &signature)];
    merchant.send(CHECK, &headers, &body).await.unwrap_err();
    // The token is gone although the merchant never saw the data.
    assert_eq!(merchant.redeem(&lost).await.status, 400);
    assert!(socialpay.add_fault(Fault::new(FaultKind::PushLost)).is_err());
}
