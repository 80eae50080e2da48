//! The spans that the book names, with their fields, and nothing secret in them.

#[path = "it/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use support::Shop;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A span's fields, and what they held.
type Held = BTreeSet<(&'static str, String)>;

/// Notes the spans of this crate by their names.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<BTreeMap<&'static str, Held>>>);

struct Fields<'a>(&'a mut Held);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert((field.name(), format!("{value:?}")));
    }
}

impl Subscriber for Noted {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("tulbur_payments")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut noted = self.0.lock().unwrap();
        span.record(&mut Fields(noted.entry(span.metadata().name()).or_default()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn the_spans_are_those_of_the_book() {
    let noted = Noted::default();
    tracing::subscriber::set_global_default(noted.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (payment, body) = runtime.block_on(async {
        let shop = Shop::open().await;
        let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
        let body = Shop::body(&payment.reference.merchant_ref, "000", "1500.00");
        shop.pay(&payment.reference.merchant_ref);
        assert_eq!(shop.notify(&body).await.status, 200);
        shop.settle().await;
        shop.work_for_days().await;
        (payment, body)
    });
    let noted = noted.0.lock().unwrap();
    let names: Vec<(&str, BTreeSet<&str>)> = noted
        .iter()
        .map(|(name, fields)| (*name, fields.iter().map(|(field, _)| *field).collect()))
        .collect();
    let wanted = [
        ("event", BTreeSet::from(["handler", "id", "kind"])),
        ("notification", BTreeSet::new()),
        ("question", BTreeSet::from(["account", "payment"])),
    ];
    assert_eq!(names, wanted);
    assert!(noted["event"].contains(&("kind", "\"paid\"".to_owned())), "{noted:?}");
    assert!(noted["question"].contains(&("payment", format!("{:?}", payment.id.as_str()))), "{noted:?}");
    let checksum = body.rsplit('|').next().unwrap();
    assert!(!format!("{noted:?}").contains(checksum), "a signature stands in a span");
}
