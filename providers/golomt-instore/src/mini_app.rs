//! The SocialPay mini app: the merchant's web page inside the SocialPay app.
//!
//! The app opens the merchant's page with a one-time token in its address; the merchant's server exchanges the token
//! for the customer's data here, and may later send that customer a message in the app. None of it is a payment: to be
//! paid, make an invoice.
//!
//! ```
//! use tulbur_golomt_instore::mini_app::{MiniApp, MiniAppConfig, WebToken};
//!
//! # async fn open(env: tulbur_core::BuildEnv, key_from_the_bank: &str, token: &str) -> tulbur_core::Result<()> {
//! let app = MiniApp::new(MiniAppConfig::new("cert-id-from-the-bank".into(), key_from_the_bank), env)?;
//! let customer = app.check_token(&WebToken::parse(token)?).await?;
//! println!("hello, customer {}", customer.individual_id);
//! # Ok(())
//! # }
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::DecodePublicKey;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Encrypt, RsaPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tulbur_core::wire::{Field, below, check_base, filled, read};
use tulbur_core::{
    Ability, BuildEnv, Effect, Error, ErrorKind, Evidence, ExposeSecret, FreeText, HttpRequest, HttpResponse,
    OperationInfo, Result, SecretString, Url, check_credential,
};

/// Where the bank answers in production (page D-mini).
pub const PRODUCTION: &str = "https://sp-api.golomtbank.com/api";

const CHECK_TOKEN: &str = "mini_app_token_check";
const NOTIFY: &str = "mini_app_notification";

/// What the bank calls a good answer to a notification (R-go).
const DONE: &str = "Амжилттай";

/// The smallest key that is taken; the bank's test key has 1024 bits.
const LEAST_KEY_BITS: usize = 1024;

/// The settings of a mini app.
///
/// `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MiniAppConfig {
    /// The id that the bank assigned (`X-Golomt-Cert-Id`).
    pub cert_id: SecretString,
    /// The bank's public RSA key: base64 as the bank prints it, or PEM.
    pub public_key: String,
    /// Where the bank answers: `https`, or plain `http` on this machine. [`PRODUCTION`] if not set.
    #[serde(default = "production")]
    pub base_url: Url,
}

fn production() -> Url {
    Url::parse(PRODUCTION).expect("the constant is an address")
}

impl MiniAppConfig {
    /// The id and the key from the bank, and its production address.
    pub fn new(cert_id: SecretString, public_key: impl Into<String>) -> Self {
        Self { cert_id, public_key: public_key.into(), base_url: production() }
    }

    fn check(&self) -> Result<RsaPublicKey> {
        check_credential("cert_id", &self.cert_id)?;
        let wrong = |field, why: &str| Error::new(ErrorKind::Configuration, why).with_field(field);
        if !self.cert_id.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("cert_id", "it has characters that cannot stand in a header"));
        }
        check_base("base_url", &self.base_url)?;
        let text: String = self.public_key.lines().filter(|line| !line.starts_with("-----")).collect();
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let der = STANDARD.decode(text).map_err(|_| wrong("public_key", "it is neither base64 nor PEM"))?;
        let key = RsaPublicKey::from_public_key_der(&der).map_err(|_| {
            wrong(
                "public_key",
                "it is no RSA key in X.509 form (SubjectPublicKeyInfo), as the bank prints it",
            )
        })?;
        if key.size() * 8 < LEAST_KEY_BITS {
            return Err(wrong("public_key", "it has fewer than 1024 bits"));
        }
        Ok(key)
    }
}

/// The one-time token that SocialPay puts into the address of the merchant's page.
///
/// `Debug` hides it: whoever has it first gets the customer's data.
#[derive(Clone)]
pub struct WebToken(SecretString);

impl WebToken {
    /// Takes the value of the address's parameter, decoded.
    ///
    /// A `?token=` in front of it is removed: the bank's address building can double it (seen by one integration).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when it is empty, longer than 4096 characters, or has others than printable ASCII.
    pub fn parse(value: &str) -> Result<Self> {
        let token = value.strip_prefix("?token=").unwrap_or(value);
        if !(1..=4096).contains(&token.len()) || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid("token", "it is not 1 to 4096 printable characters without blanks"));
        }
        Ok(Self(token.into()))
    }
}

impl fmt::Debug for WebToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebToken([redacted])")
    }
}

/// A customer as SocialPay knows them. Personal data: `Debug` shows only which of it is there.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Customer {
    /// SocialPay's number of the customer, by which messages are sent.
    pub individual_id: String,
    /// The national register number.
    pub register_number: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// An account number.
    pub account: Option<String>,
    /// Phone number.
    pub mobile_number: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Address of a picture.
    pub img_url: Option<String>,
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| if value.is_some() { "set" } else { "none" };
        f.debug_struct("Customer")
            .field("individual_id", &"set")
            .field("register_number", &shown(&self.register_number))
            .field("last_name", &shown(&self.last_name))
            .field("first_name", &shown(&self.first_name))
            .field("account", &shown(&self.account))
            .field("mobile_number", &shown(&self.mobile_number))
            .field("email", &shown(&self.email))
            .field("img_url", &shown(&self.img_url))
            .finish()
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[serde(rename_all = "camelCase")]
struct CustomerFields<'a> {
    individual_id: Field<'a>,
    register_number: Field<'a>,
    last_name: Field<'a>,
    first_name: Field<'a>,
    account: Field<'a>,
    mobile_number: Field<'a>,
    email: Field<'a>,
    img_url: Field<'a>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct MessageField<'a> {
    message: Field<'a>,
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    token: &'a str,
}

/// A message to one customer, shown by the SocialPay app. `Debug` shows no text.
///
/// The operation is known from R-go alone.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Notification {
    #[serde(rename = "individualId")]
    individual_id: String,
    #[serde(rename = "messageTitle")]
    title: String,
    #[serde(rename = "messageText")]
    text: String,
    #[serde(rename = "VIEW_ID")]
    view_id: String,
    #[serde(rename = "MINIAPP_URL")]
    url: String,
}

impl Notification {
    /// A message to this customer. What the bank's `VIEW_ID` and `MINIAPP_URL` may be is **unknown**: ask the bank.
    pub fn new(
        individual_id: impl Into<String>,
        title: impl Into<String>,
        text: impl Into<String>,
        view_id: impl Into<String>,
        url: impl Into<String>,
    ) -> Self {
        Self {
            individual_id: individual_id.into(),
            title: title.into(),
            text: text.into(),
            view_id: view_id.into(),
            url: url.into(),
        }
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification").field("view_id", &self.view_id).finish_non_exhaustive()
    }
}

/// A merchant's mini app, towards the bank.
///
/// `Debug` shows the host.
pub struct MiniApp {
    config: MiniAppConfig,
    key: RsaPublicKey,
    env: BuildEnv,
}

impl fmt::Debug for MiniApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MiniApp").field("host", &self.config.base_url.host_str()).finish_non_exhaustive()
    }
}

impl MiniApp {
    /// A mini app with these settings, on the transport that providers use.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], naming the setting.
    pub fn new(config: MiniAppConfig, env: BuildEnv) -> Result<Self> {
        let key = config.check()?;
        Ok(Self { config, key, env })
    }

    /// How well each operation is known.
    pub fn operations() -> Vec<OperationInfo> {
        let one = |name, wire, evidence, source| {
            OperationInfo::new(Ability::Inherent, name, wire, evidence, source)
        };
        vec![
            one(
                CHECK_TOKEN,
                "POST /utility/miniapp/token/check?language=mn",
                Evidence::Documented,
                "D-mini; body and answer as R-go and R-erxes have them",
            ),
            one(NOTIFY, "POST /utility/notification/push?language=mn", Evidence::Observed, "R-go"),
        ]
    }

    /// Exchanges a one-time token for the customer's data. It works once, and is never repeated by itself.
    ///
    /// # Errors
    /// What the bank says of a token that it does not take is **unknown**: every answer without a customer is an error,
    /// after which nothing has happened. Ask the customer to open the mini app again.
    pub async fn check_token(&self, token: &WebToken) -> Result<Customer> {
        let secret = token.0.expose_secret();
        let body = TokenRequest { token: secret };
        let path = ["utility", "miniapp", "token", "check"];
        let response = self.call(CHECK_TOKEN, Effect::ReadOnce, &path, &body, secret).await?;
        let fields: CustomerFields<'_> =
            read(&response.body).map_err(|error| error.in_answer(Effect::ReadOnce, &response))?;
        let text = |word: &Field<'_>| filled(word).map(str::to_owned);
        let individual_id = text(&fields.individual_id).ok_or_else(|| {
            let why = "it is missing, so the bank did not say who the customer is; the token may be used up or too old";
            let said = message_of(&response, secret);
            Error::new(ErrorKind::Rejected, why).with_field("individualId").with_answer(None, said.as_deref())
        })?;
        Ok(Customer {
            individual_id,
            register_number: text(&fields.register_number),
            last_name: text(&fields.last_name),
            first_name: text(&fields.first_name),
            account: text(&fields.account),
            mobile_number: text(&fields.mobile_number),
            email: text(&fields.email),
            img_url: text(&fields.img_url),
        })
    }

    /// Sends a customer a message. It is never repeated by itself.
    ///
    /// # Errors
    /// After any error but one before sending, the message may have been shown.
    pub async fn notify(&self, notification: &Notification) -> Result<()> {
        for (field, value) in
            [("individualId", &notification.individual_id), ("messageText", &notification.text)]
        {
            if value.is_empty() {
                return Err(Error::invalid(field, "it is empty"));
            }
        }
        let path = ["utility", "notification", "push"];
        let hidden = notification.individual_id.as_str();
        let response = self.call(NOTIFY, Effect::Write, &path, notification, hidden).await?;
        let answer: MessageField =
            read(&response.body).map_err(|error| error.in_answer(Effect::Write, &response))?;
        if filled(&answer.message) == Some(DONE) {
            return Ok(());
        }
        let said = message_of(&response, hidden);
        Err(Error::new(ErrorKind::Rejected, "the bank did not answer that the message was sent")
            .with_outcome(Effect::Write.outcome_when_lost())
            .with_answer(None, said.as_deref()))
    }

    async fn call(
        &self,
        operation: &'static str,
        effect: Effect,
        path: &[&str],
        body: &(impl Serialize + Sync),
        hidden: &str,
    ) -> Result<HttpResponse> {
        let body = serde_json::to_vec(body).map_err(|e| {
            Error::new(ErrorKind::InvalidRequest, "it cannot be written as JSON").with_source(e)
        })?;
        let mut url = below(&self.config.base_url, path);
        url.query_pairs_mut().append_pair("language", "mn");
        let signature = self.signature(&body)?;
        let request = HttpRequest::post_json(operation, effect, url, body)
            .with_header("x-golomt-cert-id", self.config.cert_id.expose_secret())
            .with_header("x-golomt-signature", signature);
        let response =
            self.env.transport.send(request).await.map_err(|error| Error::from_transport(error, effect))?;
        if response.status == 200 {
            return Ok(response);
        }
        let kind = match response.status {
            401 | 403 => ErrorKind::Unauthorized,
            429 => ErrorKind::RateLimited,
            _ => ErrorKind::Unavailable,
        };
        let said = message_of(&response, hidden);
        Err(Error::new(kind, format!("HTTP {}, which the bank does not document", response.status))
            .with_outcome(effect.outcome_when_lost())
            .with_answer(None, said.as_deref()))
    }

    /// `X-Golomt-Signature`: the hash of exactly the bytes that are sent, encrypted for the bank (page D-mini).
    fn signature(&self, body: &[u8]) -> Result<String> {
        let encrypted =
            self.key.encrypt(&mut OsRng, Pkcs1v15Encrypt, digest(body).as_bytes()).map_err(|e| {
                Error::new(ErrorKind::Configuration, "the key cannot encrypt the hash")
                    .with_field("public_key")
                    .with_source(e)
            })?;
        Ok(STANDARD.encode(encrypted))
    }
}

/// SHA-256 as 64 lower-case hexadecimal characters; these characters are what is encrypted.
fn digest(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// The bank's words, without what is not to be repeated.
fn message_of(response: &HttpResponse, hidden: &str) -> Option<FreeText> {
    let answer: MessageField = read(&response.body).ok()?;
    filled(&answer.message).map(|text| FreeText::without(text, [hidden]))
}

#[cfg(test)]
mod tests {
    use rsa::pkcs8::EncodePublicKey;

    use super::*;

    /// Printed on page D-mini as the test key: 1024 bits.
    const TEST_KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJ7rnZH30unXZbTNHNX7wjfECxWyaABX88F5cjSqnA5Soo6Uwu72ufzjEzAtoPk8sE9tnfi/74dyZa0PEK4mT7KK+Yy73acKNv0zKVYnFZMBWxH75ezEv6+4YllUHZ+AIjUN6d2Si/AJrvYmeFayykbXpFEN5+GycBp35cGxGYyQIDAQAB";

    #[test]
    fn the_hash_is_the_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../tests/vectors/golomt-instore.json")).unwrap();
        let vectors = vectors["vectors"].as_array().unwrap();
        let vector = vectors.iter().find(|vector| vector["name"] == "miniapp-signature-hash-step").unwrap();
        let body = serde_json::to_string(&TokenRequest { token: "1234567890" }).unwrap();
        assert_eq!(vector["message"], body);
        assert_eq!(vector["expected"], digest(body.as_bytes()));
    }

    #[test]
    fn the_banks_own_test_key_is_taken_bare_and_as_pem() {
        let (first, second) = TEST_KEY.split_at(64);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\r\n-----END PUBLIC KEY-----\n");
        for key in [TEST_KEY.to_owned(), format!("  {TEST_KEY}\n"), pem] {
            assert_eq!(MiniAppConfig::new("id".into(), key).check().unwrap().size(), 128);
        }
    }

    #[test]
    fn bad_settings_are_named() {
        let config = |id: &str, key: &str| MiniAppConfig::new(id.into(), key);
        let mut elsewhere = config("planted-id", TEST_KEY);
        elsewhere.base_url = Url::parse("http://bank.example").unwrap();
        let small = rsa::RsaPrivateKey::new(&mut OsRng, 512).unwrap().to_public_key();
        let small = STANDARD.encode(small.to_public_key_der().unwrap().as_bytes());
        for (config, field) in [
            (config("", TEST_KEY), "cert_id"),
            (config("planted-id\n", TEST_KEY), "cert_id"),
            (config("planted id", TEST_KEY), "cert_id"),
            (config("planted-id", ""), "public_key"),
            (config("planted-id", "not base64!"), "public_key"),
            (config("planted-id", &TEST_KEY[..120]), "public_key"),
            (config("planted-id", &small), "public_key"),
            (elsewhere, "base_url"),
        ] {
            let error = config.check().unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some(field)));
            assert!(!format!("{error} {error:?} {config:?}").contains("planted"));
        }
    }

    #[test]
    fn a_token_loses_a_doubled_prefix_and_is_never_printed() {
        let token = WebToken::parse("?token=planted").unwrap();
        assert_eq!(token.0.expose_secret(), "planted");
        assert_eq!(format!("{token:?}"), "WebToken([redacted])");
        assert_eq!(WebToken::parse("a+/=b").unwrap().0.expose_secret(), "a+/=b");
        for bad in ["", "?token=", "a b", "a\n", "төлбөр", &"a".repeat(4097)] {
            assert_eq!(WebToken::parse(bad).unwrap_err().field(), Some("token"), "{bad:?}");
        }
    }
}
