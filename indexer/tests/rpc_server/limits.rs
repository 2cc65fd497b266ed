use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::harness::{Server, TIP, outcome, until};

fn view(function: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": [function, "0x"]}).to_string()
}

/// A request padded to a length with spaces, which JSON allows.
fn padded(bytes: usize) -> Vec<u8> {
    let mut body = view("echo").into_bytes();
    body.resize(bytes, b' ');
    body
}

#[tokio::test]
async fn request_length_obeyed() {
    let server = Server::new();
    assert_eq!(outcome(&server.post(padded(65_536)).await), Ok("0x00000067".into()));
}

#[tokio::test]
async fn request_length_violated() {
    let server = Server::new();
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1024])));
    for body in [
        Body::from(padded(65_537)),
        Body::from_stream(futures::stream::iter(chunks)),
    ] {
        let expected = Err((-32002, "the request exceeds 65536 bytes".into()));
        assert_eq!(outcome(&server.post(body).await), expected);
    }
}

#[tokio::test]
async fn the_answers_of_a_batch_are_bounded_together() {
    let server = Server::new();
    let entry: Value = serde_json::from_str(&view("big")).unwrap();
    let answers = server.post(json!(vec![entry; 50]).to_string()).await;
    let outcomes: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|a| outcome(a).map(|r| r.len()))
        .collect();
    // Bound: twice 4 KiB of hex and 16 KiB; each answer is 8 KiB and a few bytes.
    assert_eq!(outcomes.len(), 50);
    assert_eq!(outcomes.iter().filter(|o| **o == Ok(2 + 2 * 4096)).count(), 3);
    assert!(outcomes[3..].iter().all(|o| matches!(o, Err((-32002, _)))));
}

#[tokio::test(flavor = "multi_thread")]
async fn views_beyond_the_places_wait_for_one() {
    let server = Arc::new(Server::with(Some(TIP), |views| views.timeout_ms = 300));
    let held: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let server = server.clone();
                async move { server.post(view("wait")).await }
            })
        })
        .collect();
    until("two views run", || server.index.running.load(Ordering::SeqCst) == 2).await;
    // Its own 300 ms began later than theirs, so a place is free before they end.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(outcome(&server.post(view("echo")).await), Ok("0x00000067".into()));
    for view in held {
        assert_eq!(
            outcome(&view.await.unwrap()),
            Err((-32002, "ran longer than it may".into()))
        );
    }
    assert_eq!(server.index.running_max.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_waits_for_a_place_ends_at_its_own_deadline() {
    let server = Arc::new(Server::with(Some(TIP), |views| views.timeout_ms = 200));
    for _ in 0..2 {
        tokio::spawn({
            let server = server.clone();
            async move { server.post(view("stuck")).await }
        });
    }
    until("two views run", || server.index.running.load(Ordering::SeqCst) == 2).await;
    let started = Instant::now();
    let (code, message) = outcome(&server.post(view("echo")).await).unwrap_err();
    assert_eq!(
        (code, message.as_str()),
        (-32002, "the view did not end within its time of 200 ms")
    );
    assert!(
        started.elapsed() < Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_cannot_be_stopped_is_answered_for_and_keeps_its_place() {
    let server = Arc::new(Server::with(Some(TIP), |views| {
        views.timeout_ms = 100;
        views.max_concurrent = 1;
    }));
    assert_eq!(outcome(&server.post(view("stuck")).await).unwrap_err().0, -32002);
    assert_eq!(server.index.running.load(Ordering::SeqCst), 1);
    assert_eq!(outcome(&server.post(view("echo")).await).unwrap_err().0, -32002);
    until("the place is free", || server.index.running.load(Ordering::SeqCst) == 0).await;
    assert_eq!(outcome(&server.post(view("echo")).await), Ok("0x00000067".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn views_beyond_the_queue_are_refused_at_once() {
    let server = Arc::new(Server::with(Some(TIP), |views| views.max_concurrent = 1));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let server = server.clone();
        clients.spawn(async move { outcome(&server.post(view("wait")).await).unwrap_err() });
    }
    // One runs and eight wait.
    let started = Instant::now();
    for _ in 0..21 {
        let (code, message) = clients.join_next().await.unwrap().unwrap();
        assert!(code == -32002 && message.contains("ask again later"), "{message}");
    }
    assert!(
        started.elapsed() < Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
    until("one runs", || server.index.running.load(Ordering::SeqCst) == 1).await;
    // Everything but views goes on.
    assert_eq!(server.call("metashrew_height", json!([])).await, Ok("103".into()));
    assert_eq!(
        server.call("metashrew_stateroot", json!([100])).await,
        Ok(format!("0x{}", "64".repeat(32)))
    );
    while let Some(waited) = clients.join_next().await {
        assert_eq!(waited.unwrap().0, -32002);
    }
    assert_eq!(server.index.running_max.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_view() {
    let server = Server::with(Some(TIP), |views| views.timeout_ms = 60_000);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(axum::serve(listener, server.router.clone()).into_future());
    let mut client = TcpStream::connect(address).await.unwrap();
    let body = view("wait");
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    until("the view runs", || server.index.running.load(Ordering::SeqCst) == 1).await;
    drop(client);
    until("the view is cancelled", || {
        server.index.cancelled.load(Ordering::SeqCst) == 1
    })
    .await;
    let counted = || server.metric(r#"shrewd_indexer_views_total{function="wait",outcome="cancelled"}"#);
    until("it is counted", || counted().as_deref() == Some("1")).await;
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_much_still_reads_why_it_was_refused() {
    let server = Server::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(axum::serve(listener, server.router.clone()).into_future());
    let mut client = TcpStream::connect(address).await.unwrap();
    let bytes = 8 << 20;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b' '; bytes]).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("exceeds 65536 bytes"),
        "{answer}"
    );
    serving.abort();
}
