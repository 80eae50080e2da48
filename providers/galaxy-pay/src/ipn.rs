//! Reads the gateway's notifications, and the return of the payer's browser.
//!
//! Both carry one text, `data`, and its signature. The text is base64 and is signed as it stands (D:
//! api-specification/ipn-and-callback/result-and-ipn-callback; reproduced with both samples of G 2.6.1 and 2.7.1), so
//! that it is checked before anything in it is read.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tulbur_core::wire::{Field, Fields, filled, needed, read};
use tulbur_core::{
    CardInfo, CardToken, Channel, Currency, Delivery, Error, ErrorKind, FreeText, IpnEvent, IpnFacts,
    IpnOutcome, IpnProvider, MerchantRef, Money, PaymentStatus, Proof, ProviderRef, Reply, Result, SavedCard,
    Subject, Voucher,
};

use crate::client::{GalaxyPay, Mark};
use crate::config::IpnStatusType;
use crate::info::{IPN, LINK_IPN, RETURN};
use crate::management::money;
use crate::status;
use crate::tokens::card_info;
use crate::wire::{Account, Envelope, Transaction};

/// Much more than any delivery of the gateway has.
const MOST: usize = 64 * 1024;

/// The body of a notification.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Notification<'a> {
    data: Field<'a>,
    signature: Field<'a>,
}

impl IpnProvider for GalaxyPay {
    /// Both channels are proof if the signature is right, because it covers everything: a browser can keep a return
    /// back, and cannot change it. What is not proof is said in the book.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        match delivery.channel {
            Channel::Notify => self.named(IPN, self.notification(delivery)),
            Channel::Return => self.named(RETURN, self.come_back(delivery)),
        }
    }

    /// As G 2.7.2 has it: 200 processed, 404 not known, 409 completed before. HTTP statuses are not documented; what
    /// was not taken never has 200.
    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        let (code, words) = match outcome {
            IpnOutcome::Accepted => ("200", "processed"),
            IpnOutcome::Repeat { completed: false } => ("200", "processed before"),
            IpnOutcome::Repeat { completed: true } => ("409", "already completed"),
            IpnOutcome::UnknownPayment => ("404", "transaction not found"),
            IpnOutcome::Ignored => ("200", "of no interest"),
            // Why it was refused stands in our log; a forger learns nothing.
            IpnOutcome::Rejected(_) => return Reply::text(400, "Rejected"),
            IpnOutcome::NotStored => return Reply::text(500, "Not stored"),
        };
        let quote = match self.config.ipn_status {
            IpnStatusType::String => "\"",
            IpnStatusType::Number => "",
        };
        Reply::json(200, format!(r#"{{"ipnStatus":{quote}{code}{quote},"ipnDescription":"{words}"}}"#))
    }
}

fn malformed(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Malformed, why)
}

fn check_size(bytes: usize) -> Result<()> {
    if bytes > MOST {
        return Err(malformed(format!("it has {bytes} bytes; the gateway's have about a thousand")));
    }
    Ok(())
}

/// What a genuine text says.
struct Told {
    subject: Subject,
    status: PaymentStatus,
    amount: Option<Money>,
    code: String,
    text: Option<FreeText>,
    card: CardInfo,
    saved_card: Option<SavedCard>,
    link: bool,
    /// Whether it says how a payment stands, and not something that only looks so.
    proves: bool,
}

impl Told {
    fn facts(&self) -> Result<IpnFacts> {
        let unproven = || malformed("it proves nothing");
        let amount = self.amount.filter(|_| self.proves).ok_or_else(unproven)?;
        match (&self.subject.merchant_ref, &self.subject.provider_ref) {
            (Some(ours), Some(theirs)) => {
                Ok(IpnFacts::new(ours.clone(), self.status, amount).with_provider_ref(theirs.clone()))
            }
            (None, Some(theirs)) => Ok(IpnFacts::of_provider_ref(theirs.clone(), self.status, amount)),
            (_, None) => Err(unproven()),
        }
    }
}

impl GalaxyPay {
    fn notification(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        if delivery.method != "POST" {
            return Err(malformed("the gateway notifies by POST only").with_field("method"));
        }
        if !delivery.may_be_json() {
            let why = "the gateway notifies with application/json only";
            return Err(malformed(why).with_field("content-type"));
        }
        check_size(delivery.body.len())?;
        let body = delivery.body_text();
        let body: Notification<'_> = read(body.as_bytes())?;
        let data = needed("data", &body.data)?;
        self.event(data, filled(&body.signature), Channel::Notify)
    }

    fn come_back(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        let encoded = match delivery.method {
            "POST" => delivery.body,
            "GET" => delivery.query.unwrap_or_default().as_bytes(),
            _ => return Err(malformed("payers come back by GET or POST").with_field("method")),
        };
        check_size(encoded.len())?;
        let fields = Fields::parse(encoded)?;
        if fields.get("data")?.is_some() {
            return self.returned(&fields);
        }
        // How the gateway joins its parameters to an address that has some already is not documented. With a second
        // `?` they hang on the last value of the first ones.
        let joined: Vec<u8> = encoded.iter().map(|&b| if b == b'?' { b'&' } else { b }).collect();
        self.returned(&Fields::parse(&joined)?)
    }

    fn returned(&self, fields: &Fields<'_>) -> Result<IpnEvent> {
        let data = fields.get("data")?.filter(|data| !data.is_empty());
        let data = data.ok_or_else(|| malformed("it is missing").with_field("data"))?;
        // A `+` of base64 that nobody encoded arrives as a blank, which base64 never has.
        let data: Cow<'_, str> =
            if data.contains(' ') { Cow::Owned(data.replace(' ', "+")) } else { Cow::Borrowed(data) };
        self.event(&data, fields.get("signature")?, Channel::Return)
    }

    fn event(&self, data: &str, signature: Option<&str>, channel: Channel) -> Result<IpnEvent> {
        let mut told = None;
        let proven = self.keys.prove_document(data.as_bytes(), signature, |data| {
            let document = self.read_callback(data)?;
            told.insert(document).facts()
        });
        // Genuine and readable, and yet no proof: a hint. Not genuine, or not readable: the error.
        let (told, proof) = match (told, proven) {
            (Some(told), Ok(facts)) => (told, Proof::Signed(facts)),
            (Some(told), Err(_)) => (told, Proof::Hint(Voucher::Checksum)),
            (None, Err(error)) => return Err(error),
            (None, Ok(_)) => return Err(malformed("it could not be read")),
        };
        let name = match channel {
            Channel::Return => RETURN,
            Channel::Notify if told.link => LINK_IPN,
            Channel::Notify => IPN,
        };
        let mut event = IpnEvent::new(told.subject, proof, name).with_claim(
            Some(told.status),
            told.amount,
            Some(&told.code),
        );
        event.text = told.text;
        event.card = told.card;
        // Tokens come in notifications only (G 2.7.1).
        event.saved_card = told.saved_card.filter(|_| channel == Channel::Notify);
        Ok(event)
    }

    /// Reads the text whose signature was found right.
    fn read_callback(&self, data: &[u8]) -> Result<Told> {
        let decoded =
            STANDARD.decode(data).map_err(|_| malformed("it is not standard base64").with_field("data"))?;
        let document: Envelope<'_> = read(&decoded)?;
        let outer = needed("responseCode", &document.response_code)?;
        let missing = || malformed("it is missing").with_field("responseData");
        let data: Transaction<'_> = read(document.response_data.ok_or_else(missing)?.get().as_bytes())?;
        let inner = filled(&data.transaction_status);
        let link = data.order_no.is_some() && data.transaction_id.is_none();
        let mark = Mark::of(filled(&document.request_id));
        let mut status = status::of_callback(outer, inner);
        if mark == Some(Mark::Held) && status.is_paid() {
            status = PaymentStatus::Authorized;
        }
        let (subject, amount, proves) = if link {
            let number = needed("orderNo", &data.order_no)?;
            let amount = link_money(&data, self.info.currencies[0])?;
            // Its signature's formula is inferred, and there is nothing to ask.
            (Subject::provider(reference("orderNo", number)?), amount, self.config.accepts_inferred())
        } else {
            let order = needed("orderID", &data.order_id)?;
            let ours =
                MerchantRef::parse(order).map_err(|e| malformed(e.to_string()).with_field("orderID"))?;
            let theirs = reference("transactionID", needed("transactionID", &data.transaction_id)?)?;
            let subject = Subject { merchant_ref: Some(ours), provider_ref: Some(theirs) };
            // Whether a refund, a capture or a void is notified is unknown. Their success would not be a payment's;
            // and where money can be held, a request that is none of ours might have been one that only holds it.
            let proves = match mark {
                Some(Mark::Plain | Mark::Held) => true,
                Some(Mark::Change) => false,
                None => !self.config.accepts_inferred(),
            };
            (subject, money(&data)?, proves)
        };
        let account: Option<Account<'_>> = data
            .tokenization
            .map(|raw| read(raw.get().as_bytes()))
            .transpose()
            .map_err(|e: Error| e.with_field("tokenization"))?;
        let card = account.as_ref().map(card_info).unwrap_or_default();
        let taken = matches!(status, PaymentStatus::Paid | PaymentStatus::Authorized);
        // The payment's success and the token's are two things (G 2.7.1).
        let saved = account
            .as_ref()
            .filter(|account| taken && proves && filled(&account.status) == Some(status::SUCCESS))
            .and_then(|account| filled(&account.token));
        Ok(Told {
            subject,
            status,
            amount,
            code: inner.unwrap_or(outer).to_owned(),
            text: filled(&data.transaction_description)
                .or_else(|| filled(&document.response_message))
                .map(FreeText::new),
            saved_card: saved.map(|token| SavedCard::new(CardToken::new(token), card.clone())),
            card,
            link,
            proves,
        })
    }
}

fn reference(name: &'static str, text: &str) -> Result<ProviderRef> {
    ProviderRef::parse(text).map_err(|e| malformed(e.to_string()).with_field(name))
}

/// A link's notification names no currency; links are made in the account's first one.
fn link_money(data: &Transaction<'_>, currency: Currency) -> Result<Option<Money>> {
    let parse = |text| Money::parse(text, currency);
    let amount = filled(&data.order_amount).map(parse).transpose();
    amount.map_err(|e| malformed(e.to_string()).with_field("orderAmount"))
}
