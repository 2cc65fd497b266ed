use std::sync::{Arc, atomic::Ordering};

use axum::body::{Body, Bytes};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::harness::{Server, TIP, outcome, until, view};

/// A request padded to a length with spaces, which JSON allows.
fn padded(bytes: usize) -> Vec<u8> {
    let mut body = view("echo").into_bytes();
    body.resize(bytes, b' ');
    body
}

/// Contract §8.13.
#[tokio::test]
async fn request_length_obeyed() {
    let server = Server::new();
    assert_eq!(outcome(&server.post(padded(65_536)).await), Ok("0x00000067".into()));
}

/// Contract §8.13.
#[tokio::test]
async fn request_length_violated() {
    let server = Server::new();
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1024])));
    for body in [
        Body::from(padded(65_537)),
        Body::from_stream(futures::stream::iter(chunks)),
    ] {
        let expected = Err((-32002, "the request exceeds 65536 bytes (views.maxRequestBytes)".into()));
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
    // Bound: twice 4 KiB of hex and 256 KiB; each answer is 8 KiB and 39 bytes.
    assert_eq!(outcomes.len(), 50);
    assert_eq!(outcomes.iter().filter(|o| **o == Ok(2 + 2 * 4096)).count(), 33);
    assert!(outcomes[33..].iter().all(|o| matches!(o, Err((-32002, _)))));
}

/// Views that each take all their time: the batch ends with the sixth, and says so to those behind it.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_batch_is_bounded() {
    let server = Server::with(Some(TIP), |views| views.timeout_ms = 200);
    let entry: Value = serde_json::from_str(&view("wait")).unwrap();
    let height = json!({"jsonrpc": "2.0", "id": 2, "method": "metashrew_height"});
    let mut batch = vec![entry; 20];
    batch.push(height);
    let answers = server.post(json!(batch).to_string()).await;
    let messages: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|a| outcome(a).unwrap_err())
        .collect();
    assert!(messages.iter().all(|(code, _)| *code == -32002), "{messages:?}");
    let ran = messages.iter().take_while(|(_, message)| message == TIMED_OUT).count();
    // On a busy machine each ends a little late, and then fewer fit.
    assert!((1..=6).contains(&ran), "{messages:?}");
    let not_tried = "the batch took longer than 1200 ms, 6 times views.timeout; split it";
    assert!(
        messages[ran + 1..].iter().all(|(_, message)| message == not_tried),
        "{messages:?}"
    );
}

/// A request of its own task; aborting it is leaving.
fn spawn(server: &Arc<Server>, function: &'static str) -> tokio::task::JoinHandle<Result<String, (i64, String)>> {
    let server = Arc::clone(server);
    tokio::spawn(async move { outcome(&server.post(view(function)).await) })
}

/// Views that run or wait.
fn present(server: &Server) -> u32 {
    server.metric("shrewd_indexer_views_running").unwrap().parse().unwrap()
}

const TIMED_OUT: &str =
    "the view did not end within 200 ms, the wait for its turn included (views.timeout, --view-timeout)";

/// Contract §8.13.
#[tokio::test(flavor = "multi_thread")]
async fn views_beyond_the_places_wait_for_one() {
    let server = Arc::new(Server::with(Some(TIP), |views| views.timeout_ms = 60_000));
    let held = [spawn(&server, "wait"), spawn(&server, "wait")];
    until("two views run", || server.index.running.load(Ordering::SeqCst) == 2).await;
    let third = spawn(&server, "echo");
    until("the third waits", || present(&server) == 3).await;
    assert_eq!(server.index.running.load(Ordering::SeqCst), 2);
    held[0].abort();
    assert_eq!(third.await.unwrap(), Ok("0x00000067".into()));
    held[1].abort();
    assert_eq!(server.index.running_max.load(Ordering::SeqCst), 2);
}

/// Contract §8.13.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_waits_for_a_place_ends_at_its_own_deadline() {
    let server = Arc::new(Server::with(Some(TIP), |views| views.timeout_ms = 200));
    let _held = [spawn(&server, "stuck"), spawn(&server, "stuck")];
    until("two views run", || server.index.running.load(Ordering::SeqCst) == 2).await;
    let (code, message) = outcome(&server.post(view("echo")).await).unwrap_err();
    assert_eq!((code, message.as_str()), (-32002, TIMED_OUT));
    assert_eq!(
        server.index.running.load(Ordering::SeqCst),
        2,
        "no permit had become free"
    );
    server.index.released.store(true, Ordering::SeqCst);
}

/// Contract §8.13.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_cannot_be_stopped_is_answered_for_and_keeps_its_place() {
    let server = Arc::new(Server::with(Some(TIP), |views| {
        views.timeout_ms = 200;
        views.max_concurrent = 1;
    }));
    assert_eq!(outcome(&server.post(view("stuck")).await).unwrap_err().0, -32002);
    assert_eq!(server.index.running.load(Ordering::SeqCst), 1);
    assert_eq!(outcome(&server.post(view("echo")).await).unwrap_err().0, -32002);
    server.index.released.store(true, Ordering::SeqCst);
    until("the permit is free", || {
        server.index.running.load(Ordering::SeqCst) == 0
    })
    .await;
    assert_eq!(outcome(&server.post(view("echo")).await), Ok("0x00000067".into()));
}

/// Contract §8.13.
#[tokio::test(flavor = "multi_thread")]
async fn views_beyond_the_queue_are_refused_at_once() {
    let server = Arc::new(Server::with(Some(TIP), |views| {
        views.max_concurrent = 1;
        views.timeout_ms = 60_000;
    }));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let server = server.clone();
        clients.spawn(async move { outcome(&server.post(view("wait")).await).unwrap_err() });
    }
    // One runs and eight wait, all of them for a minute.
    for _ in 0..21 {
        let (code, message) = clients.join_next().await.unwrap().unwrap();
        assert!(code == -32002 && message.contains("try again later"), "{message}");
    }
    until("one runs", || server.index.running.load(Ordering::SeqCst) == 1).await;
    // Everything but views is answered.
    assert_eq!(server.call("metashrew_height", json!([])).await, Ok("103".into()));
    assert_eq!(
        server.call("metashrew_stateroot", json!([100])).await,
        Ok(format!("0x{}", "64".repeat(32)))
    );
    assert_eq!(server.index.running_max.load(Ordering::SeqCst), 1);
    clients.abort_all();
    until("all have left", || server.index.running.load(Ordering::SeqCst) == 0).await;
}

/// Contract §8.13.
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
