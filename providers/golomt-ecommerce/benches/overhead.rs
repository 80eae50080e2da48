//! What this provider adds: to a call that a hand-written client would make, and to the hash that a push needs.
//!
//! `cargo bench -p tulbur-golomt-ecommerce`. The book's page on benchmarks has the ratios and how to read them.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tulbur_core::{
    AccountName, CallbackUrl, Channel, CreateInvoice, Currency, Delivery, IpnProvider, MerchantRef, Money,
    Proof, Provider, ReturnUrls,
};
use tulbur_golomt_ecommerce::{GolomtEcommerce, GolomtEcommerceConfig};

const SECRET: &str = "benchmark-secret";
const REFERENCE: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";
const CARD: &str = "2d1f5b0c9a7e4d3f8b6a1c0e2f4d6b8a0c1e3f5a7b9d1c3e5f7a9b0d2c4e6f80";
const CALLBACK: &str = "https://shop.mn/back?order=7";

fn sign(parts: &[&str]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

/// A runtime of one thread, and on it a bank that answers every invoice with the same, prepared bytes. On one thread
/// no wake-up of another core is measured, which costs more than all that is of interest here.
fn bank() -> (Runtime, SocketAddr) {
    let invoice = "d7fb2858-df36-469e-b40d-2815fe9215cf";
    let body = format!(
        r#"{{"invoice":"{invoice}","transactionId":"{REFERENCE}","checksum":"{}"}}"#,
        sign(&[invoice, REFERENCE])
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback has free ports");
    let address = listener.local_addr().expect("it is bound");
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve(stream, answer.clone()));
        }
    });
    (runtime, address)
}

async fn serve(mut stream: TcpStream, answer: String) {
    stream.set_nodelay(true).expect("a socket takes this");
    let mut buffer = [0; 4096];
    let mut filled = 0;
    while let Ok(count) = stream.read(&mut buffer[filled..]).await {
        filled += count;
        if count == 0 {
            return;
        }
        // Every body here is one flat object, so that its end is the request's.
        if buffer[..filled].ends_with(b"}") {
            filled = 0;
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

fn shop(address: SocketAddr) -> GolomtEcommerce {
    let mut config = GolomtEcommerceConfig::new("benchmark-token".into(), SECRET.into());
    config.base_url = format!("http://{address}").parse().expect("an address");
    let env = tulbur_reqwest::standard_env().expect("the standard ports");
    GolomtEcommerce::new(AccountName::parse("shop").expect("a name"), config, env).expect("good settings")
}

fn request() -> CreateInvoice {
    let reference = MerchantRef::parse(REFERENCE).expect("a reference");
    let amount = Money::parse("1500", Currency::MNT).expect("an amount");
    let mut request = CreateInvoice::new(reference, amount, "Two books");
    request.return_urls = Some(ReturnUrls::one(CallbackUrl::parse(CALLBACK).expect("an address")));
    request
}

/// What a shop writes that needs this one call and nothing else.
mod by_hand {
    use super::{CALLBACK, Deserialize, Duration, REFERENCE, Serialize, SocketAddr, sign};

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<'a> {
        amount: &'a str,
        callback: &'a str,
        checksum: String,
        gen_token: &'a str,
        return_type: &'a str,
        transaction_id: &'a str,
        social_deeplink: &'a str,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        invoice: String,
        transaction_id: String,
        checksum: String,
    }

    /// Nobody sends a payment without a limit on the wait.
    pub(super) fn client() -> reqwest::Client {
        reqwest::Client::builder().timeout(Duration::from_secs(40)).build().expect("a client")
    }

    pub(super) async fn invoice(client: &reqwest::Client, address: SocketAddr) -> String {
        let request = Request {
            amount: "1500.00",
            callback: CALLBACK,
            checksum: sign(&[REFERENCE, "1500.00", "GET", CALLBACK]),
            gen_token: "N",
            return_type: "GET",
            transaction_id: REFERENCE,
            social_deeplink: "N",
        };
        let body = serde_json::to_vec(&request).expect("it is JSON");
        let answer = client
            .post(format!("http://{address}/api/invoice"))
            .header("content-type", "application/json")
            .header("authorization", "Bearer benchmark-token")
            .body(body)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .expect("an answer");
        let answer: Answer = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
        assert_eq!(answer.transaction_id, REFERENCE);
        assert_eq!(answer.checksum, sign(&[&answer.invoice, &answer.transaction_id]));
        format!("http://{address}/payment/mn/{}", answer.invoice)
    }
}

fn create_invoice(criterion: &mut Criterion) {
    let (runtime, address) = bank();
    let mut group = criterion.benchmark_group("create_invoice");
    group.measurement_time(Duration::from_secs(8));

    let client = by_hand::client();
    group.bench_function("bare reqwest by hand", |bencher| {
        bencher.to_async(&runtime).iter(|| by_hand::invoice(&client, address));
    });
    let shop = shop(address);
    group.bench_function("tulbur", |bencher| {
        let invoices = shop.invoices().expect("it makes invoices");
        bencher.to_async(&runtime).iter_batched(
            request,
            async |request| invoices.create_invoice(&request).await.expect("an invoice"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// The two calls in turn, so that whatever else the machine does meets both alike; the middle one of each.
#[expect(clippy::print_stdout, reason = "this is the result")]
fn create_invoice_in_turn() {
    const PAIRS: usize = 20_000;
    let (runtime, address) = bank();
    let (client, shop) = (by_hand::client(), shop(address));
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        for _ in 0..PAIRS {
            let started = Instant::now();
            black_box(by_hand::invoice(&client, address).await);
            bare.push(started.elapsed().as_nanos());
            let request = request();
            let started = Instant::now();
            black_box(shop.invoices().expect("it makes invoices").create_invoice(&request).await)
                .expect("an invoice");
            ours.push(started.elapsed().as_nanos());
        }
    });
    bare.sort_unstable();
    ours.sort_unstable();
    let (bare, ours) = (bare[PAIRS / 2], ours[PAIRS / 2]);
    let hundredths = ours * 100 / bare;
    println!(
        "create_invoice in turn, median of {PAIRS}: by hand {bare} ns, tulbur {ours} ns, ratio {}.{:02}",
        hundredths / 100,
        hundredths % 100
    );
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Push {
    transaction_id: String,
    error_code: String,
    amount: String,
    token: Option<String>,
    checksum: String,
}

fn verify_push(criterion: &mut Criterion) {
    let checksum = sign(&[REFERENCE, "000", "1500.00", CARD]);
    let body = format!(
        r#"{{"amount":"1500.00","bank":"Голомт банк","errorDesc":"Амжилттай","errorCode":"000","cardHolder":"A B","cardNumber":"949625******0003","transactionId":"{REFERENCE}","token":"{CARD}","checksum":"{checksum}"}}"#
    );
    let message = format!("{REFERENCE}0001500.00{CARD}");
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of every length");
    let mut group = criterion.benchmark_group("verify_push");

    group.bench_function("the hash alone", |bencher| {
        bencher.iter(|| {
            let mut mac = key.clone();
            mac.update(black_box(message.as_bytes()));
            let received = hex::decode(black_box(&checksum)).expect("hexadecimal");
            mac.verify_slice(&received).expect("it is genuine");
        });
    });
    group.bench_function("serde and the hash by hand", |bencher| {
        bencher.iter(|| {
            let push: Push = serde_json::from_slice(black_box(body.as_bytes())).expect("JSON");
            let mut mac = key.clone();
            mac.update(push.transaction_id.as_bytes());
            mac.update(push.error_code.as_bytes());
            mac.update(push.amount.as_bytes());
            mac.update(push.token.as_deref().unwrap_or_default().as_bytes());
            mac.verify_slice(&hex::decode(&push.checksum).expect("hexadecimal")).expect("it is genuine");
            push
        });
    });
    let shop = shop(SocketAddr::from(([127, 0, 0, 1], 9)));
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    group.bench_function("tulbur", |bencher| {
        bencher.iter(|| {
            let body = black_box(body.as_bytes());
            let delivery =
                Delivery { channel: Channel::Notify, method: "POST", query: None, headers: &headers, body };
            let event = shop.verify(&delivery).expect("it is genuine");
            assert!(matches!(event.proof, Proof::Signed(_)));
            event
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    create_invoice(&mut criterion);
    verify_push(&mut criterion);
    criterion.final_summary();
    // `cargo test --benches` only asks whether the benchmarks run.
    if std::env::args().any(|argument| argument == "--bench") {
        create_invoice_in_turn();
    }
}
