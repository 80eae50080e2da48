//! Describes SocialPay on the control page: credentials, switches, customers.

use super::customers::{CUSTOMERS, Customer};
use super::settings::PROVIDER_ID;
use super::signature;
use super::state::MiniAppState;
use crate::fault::FaultKind;
use crate::plugin::{PaymentRecord, Profile, Switch, Timestamp};

pub(super) fn profile(cert_id: &str) -> Profile {
    let mut profile = Profile::new(PROVIDER_ID, "Golomt Bank SocialPay mini app")
        .credential("cert_id", cert_id)
        .credential("public_key", &signature::public_key())
        .api_prefix("/api/")
        .action(
            "open",
            "the customer opens the mini app: makes a one-time token (detail: url, where it is to open)",
        )
        .sealed_field("token")
        .note("base address", "the address above with /api behind it")
        .note(
            "customers",
            "invented; they stand where payments stand elsewhere, and action open makes a token for one",
        )
        .note(
            "the customer's phone",
            "/-/phone on this provider's port opens the mini app and shows the messages",
        )
        .note("public_key", "throw-away: its private half is published in the sandbox")
        .note(
            "wording",
            "of the answers only Амжилттай is known; the rest are the sandbox's own words (assumption)",
        );
    profile.faults = FaultKind::WIRE.to_vec();
    profile.switches = vec![
        Switch::number("token-seconds", "how long a token is good; 0 is for ever", 0, 86_400, 0)
            .assumed("documented as one-time only"),
        Switch::one_of(
            "individual-id",
            "the JSON type of individualId in a customer's data",
            &[("number", "a number, as one client reads it"), ("text", "a string")],
        )
        .assumed("a client reads a number here and sends a text elsewhere"),
        Switch::one_of(
            "error-http-status",
            "the HTTP status of a refusal, whose body is a message",
            &[("400", "400"), ("401", "401"), ("200", "200")],
        )
        .assumed("no refusal is documented; message is the one field known from the sibling call"),
        Switch::one_of(
            "token-address",
            "how the token is joined to the mini app's address",
            &[
                ("parameter", "as the parameter token"),
                (
                    "appended",
                    "?token= behind whatever the address is, which doubles it if it ends so already",
                ),
            ],
        )
        .assumed("one merchant has to remove a second ?token="),
    ];
    profile
}

pub(super) fn records(state: &MiniAppState, since: Timestamp) -> Vec<PaymentRecord> {
    CUSTOMERS.iter().map(|customer| record(customer, state, since)).collect()
}

fn record(customer: &Customer, state: &MiniAppState, since: Timestamp) -> PaymentRecord {
    let messages: Vec<_> =
        state.messages.iter().filter(|message| message.customer == customer.name).collect();
    let (made, used) = state.counts(customer.name);
    let id = customer.id.to_string();
    let mut record = PaymentRecord::new(&id, customer.name, "customer", "", since)
        .detail("individualId", customer.id)
        .detail("firstName", customer.first_name)
        .detail("lastName", customer.last_name)
        .detail("tokensMade", made)
        .detail("tokensUsed", used)
        .detail("messages", serde_json::to_value(messages).unwrap_or_default());
    record.actions = vec!["open".to_owned()];
    record.pages.insert("customer's phone".to_owned(), format!("/-/phone?customer={}", customer.name));
    record
}
