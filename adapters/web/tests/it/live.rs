//! The live status: what it says, when it ends, and what it costs.

use std::time::Duration;

use crate::support::{Said, World, given};
use futures_util::StreamExt;
use tulbur_core::PaymentStatus;
use tulbur_web::{Body, BodyStream, TrustedProxies, WebRequest, WebSettings};

async fn events(world: &World, secret: &str) -> Result<BodyStream, u16> {
    events_from(world, secret, None, &[]).await
}

async fn events_from(
    world: &World,
    secret: &str,
    peer: Option<&str>,
    headers: &[(&str, &str)],
) -> Result<BodyStream, u16> {
    let request = WebRequest {
        method: "GET".into(),
        path: format!("/checkout/{secret}/events"),
        query: None,
        headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        body: Vec::new().into(),
        peer: peer.and_then(|peer| peer.parse().ok()),
    };
    let response = world.web.handle(request).await;
    match response.body {
        Body::Stream(stream) => Ok(stream),
        Body::Full(_) => Err(response.status),
    }
}

/// The next chunk, or nothing if the stream has ended.
async fn chunk(stream: &mut BodyStream) -> Option<String> {
    let next = tokio::time::timeout(Duration::from_secs(30), stream.next()).await.expect("a sign of life");
    next.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

/// The next event, past heartbeats.
async fn event(stream: &mut BodyStream) -> Option<String> {
    loop {
        let chunk = chunk(stream).await?;
        if chunk != ":\n\n" {
            return Some(chunk);
        }
    }
}

#[tokio::test]
async fn it_says_how_it_stands_then_what_changes_then_ends() {
    let world = World::new().await;
    let record = world.open().await;
    let mut stream = events(&world, &world.secret(&record)).await.unwrap();
    let first = event(&mut stream).await.unwrap();
    assert_eq!(
        first,
        "retry: 3000\nevent: status\ndata: {\"status\":\"pending\",\"ready\":true,\"final\":false}\n\n"
    );
    // Nobody notifies: that somebody looks is enough for the bank to be asked.
    world.bank.say(&record, Said::status(PaymentStatus::Paid));
    let second = event(&mut stream).await.unwrap();
    assert_eq!(second, "event: status\ndata: {\"status\":\"paid\",\"ready\":false,\"final\":true}\n\n");
    assert_eq!(event(&mut stream).await, None);
}

#[tokio::test]
async fn it_shows_that_it_is_alive_while_nothing_changes() {
    let world = World::new().await;
    let record = world.open().await;
    let mut stream = events(&world, &world.secret(&record)).await.unwrap();
    event(&mut stream).await.unwrap();
    for _ in 0..3 {
        assert_eq!(chunk(&mut stream).await.unwrap(), ":\n\n");
    }
}

#[tokio::test]
async fn everybody_who_looks_is_told() {
    let world = World::new().await;
    let record = world.open().await;
    let secret = world.secret(&record);
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = events(&world, &secret).await.unwrap();
        event(&mut stream).await.unwrap();
        streams.push(stream);
    }
    world.payments.cancel(&record.id).await.unwrap();
    for mut stream in streams {
        assert!(event(&mut stream).await.unwrap().contains("\"canceled\""));
        assert_eq!(event(&mut stream).await, None);
    }
}

#[tokio::test]
async fn what_has_ended_is_said_once() {
    let world = World::new().await;
    for word in ["paid", "declined", "canceled", "authorized", "setup-paid"] {
        let record = given(&world, word, crate::support::Like::default(), None).await;
        let mut stream = events(&world, &world.secret(&record)).await.unwrap();
        let said = event(&mut stream).await.unwrap();
        assert!(said.contains(&format!("\"status\":\"{}\"", record.status)), "{word}: {said}");
        assert_eq!(event(&mut stream).await, None, "{word}");
    }
}

#[tokio::test]
async fn there_is_a_limit_and_a_place_is_given_back() {
    let settings = WebSettings::default().most_streams(2);
    let world = World::with("https://shop.example/", settings).await;
    let record = world.open().await;
    let secret = world.secret(&record);
    let one = events(&world, &secret).await.unwrap();
    let two = events(&world, &secret).await.unwrap();
    assert_eq!(events(&world, &secret).await.err(), Some(503));
    drop(one);
    let three = events(&world, &secret).await.unwrap();
    assert_eq!(events(&world, &secret).await.err(), Some(503));
    drop((two, three));
    drop(events(&world, &secret).await.unwrap());
}

#[tokio::test]
async fn one_payment_leaves_places_for_the_others() {
    let settings = WebSettings::default().most_streams(100).most_streams_per_payment(3);
    let world = World::with("https://shop.example/", settings).await;
    let (one, other) = (world.secret(&world.open().await), world.secret(&world.open().await));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(events(&world, &one).await.unwrap());
    }
    assert_eq!(events(&world, &one).await.err(), Some(503));
    drop(events(&world, &other).await.unwrap());
    held.pop();
    drop(events(&world, &one).await.unwrap());
}

#[tokio::test]
async fn one_address_leaves_places_for_the_others() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let settings = WebSettings::default().most_streams_per_address(2).trusted_proxies(proxies);
    let world = World::with("https://shop.example/", settings).await;
    let secret = world.secret(&world.open().await);
    let held = async |peer: &str, forwarded: &str| {
        events_from(&world, &secret, Some(peer), &[("x-forwarded-for", forwarded)]).await
    };
    let _one = held("10.0.0.1", "203.0.113.9").await.unwrap();
    // Its own word about somebody else does not count.
    let _two = held("203.0.113.9", "198.51.100.1").await.unwrap();
    assert_eq!(held("10.0.0.2", "1.1.1.1, 203.0.113.9").await.err(), Some(503));
    assert_eq!(held("203.0.113.9", "").await.err(), Some(503));
    drop(held("10.0.0.1", "198.51.100.1").await.unwrap());
}

/// Behind a proxy that nobody named, all payers have its address.
#[tokio::test]
async fn a_proxy_that_nobody_named_shuts_nobody_out() {
    let world =
        World::with("https://shop.example/", WebSettings::default().most_streams_per_address(1)).await;
    let secret = world.secret(&world.open().await);
    let _one = events_from(&world, &secret, Some("10.0.0.1"), &[]).await.unwrap();
    let _two = events_from(&world, &secret, Some("10.0.0.1"), &[]).await.unwrap();
    let _three = events_from(&world, &secret, Some("203.0.113.9"), &[]).await.unwrap();
    assert_eq!(events_from(&world, &secret, Some("203.0.113.9"), &[]).await.err(), Some(503));
}

#[tokio::test]
async fn a_server_that_stops_ends_them() {
    let world = World::new().await;
    let record = world.open().await;
    let secret = world.secret(&record);
    let mut stream = events(&world, &secret).await.unwrap();
    event(&mut stream).await.unwrap();
    world.web.clone().end_streams();
    assert_eq!(event(&mut stream).await, None);
    assert_eq!(events(&world, &secret).await.err(), Some(503));
    // Pages are still shown.
    assert_eq!(world.get(&format!("/checkout/{secret}")).await.status, 200);
}

#[tokio::test]
async fn closed_pages_stop_asking_the_bank() {
    use std::sync::atomic::Ordering;
    let world = World::new().await;
    let record = world.open().await;
    let mut stream = events(&world, &world.secret(&record)).await.unwrap();
    event(&mut stream).await.unwrap();
    let asked = || world.bank.asked.load(Ordering::SeqCst);
    let looked = async {
        while asked() == 0 {
            chunk(&mut stream).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looked)
        .await
        .expect("somebody looks, and the bank is asked");
    drop(stream);
    // A question may still be on its way; then there are no more.
    for _ in 0..20 {
        let before = asked();
        tokio::time::sleep(Duration::from_millis(500)).await;
        if asked() == before {
            return;
        }
    }
    panic!("nobody looks any more, and the bank is still asked");
}
