use std::time::Duration;

use axum::Router;
use indexer::serve::listener::{self, Limits};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::harness::{Server, TIP, outcome, until, view};

const MIB: usize = 1 << 20;
/// No test waits for it.
const LONG: Duration = Duration::from_secs(600);

/// A port of a real listener.
struct Port {
    address: std::net::SocketAddr,
    closing: CancellationToken,
    serving: JoinHandle<()>,
}

impl Port {
    async fn new(router: Router, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let closing = CancellationToken::new();
        let serving = tokio::spawn(listener::serve(listener, router, limits, closing.clone()));
        Self {
            address,
            closing,
            serving,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection on which a head was sent and a body of so many bytes is announced.
    async fn announce(&self, bytes: usize) -> TcpStream {
        let mut stream = self.connect().await;
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let sent = client.post(format!("http://{}/", self.address)).body(body).send();
        sent.await.unwrap().json().await.unwrap()
    }
}

fn limits(connections: usize) -> Limits {
    Limits {
        connections,
        head: LONG,
        stall: LONG,
    }
}

/// A view's request, padded with spaces.
fn padded(function: &str, bytes: usize) -> Vec<u8> {
    let mut body = view(function).into_bytes();
    body.resize(bytes, b' ');
    body
}

/// Reads what comes until the other end closes.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut rest).await;
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_announce_much_and_send_nothing_take_nothing_from_others() {
    let server = Server::with(Some(TIP), |views| views.max_request_bytes = 8 << 20);
    let port = Port::new(server.router.clone(), listener::RPC).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(port.announce(8 * MIB).await);
    }
    let answer = port.post(padded("echo", 8 * MIB)).await;
    assert_eq!(outcome(&answer), Ok("0x00000067".into()));
    // They are still read: the first one sends its body at last.
    let mut first = silent.remove(0);
    first.write_all(&padded("echo", 8 * MIB)).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(br#""result":"0x00000067","id":1}"#) {
        assert_ne!(
            first.read_buf(&mut answer).await.unwrap(),
            0,
            "{}",
            answer.escape_ascii()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn number_of_connections_violated_by_idle_ones_that_give_way() {
    let server = Server::new();
    let port = Port::new(server.router.clone(), limits(4)).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(port.connect().await);
    }
    assert_eq!(outcome(&port.post(view("echo")).await), Ok("0x00000067".into()));
    for stream in idle.drain(..16) {
        assert!(rest(stream).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn number_of_connections_violated_by_one_client_that_is_answered_on_all() {
    let server = Server::with(Some(TIP), |views| views.timeout_ms = 600_000);
    let port = Port::new(server.router.clone(), limits(2)).await;
    let mut busy = Vec::new();
    for expected in 1..=2 {
        let mut stream = port.announce(view("wait").len()).await;
        stream.write_all(view("wait").as_bytes()).await.unwrap();
        busy.push(stream);
        until("its view runs", || running(&server) == expected).await;
    }
    assert!(rest(port.connect().await).await.is_empty(), "the new one has to go");
    assert_eq!(running(&server), 2);
}

fn running(server: &Server) -> usize {
    server.index.running.load(std::sync::atomic::Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn time_for_a_head_violated() {
    let server = Server::new();
    let head = Duration::from_millis(200);
    let port = Port::new(server.router.clone(), Limits { head, ..limits(10) }).await;
    let idle = port.connect().await;
    let mut slow = port.connect().await;
    slow.write_all(b"POST / HTTP/1.1\r\nHost:").await.unwrap();
    // And one that was answered, and keeps its connection.
    let mut kept = port.announce(view("echo").len()).await;
    kept.write_all(view("echo").as_bytes()).await.unwrap();
    rest(idle).await;
    rest(slow).await;
    let answer = rest(kept).await;
    assert!(String::from_utf8_lossy(&answer).ends_with(r#""result":"0x00000067","id":1}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn time_for_a_head_obeyed() {
    let server = Server::with(Some(TIP), |views| views.timeout_ms = 600_000);
    let head = Duration::from_millis(200);
    let port = Port::new(server.router.clone(), Limits { head, ..limits(10) }).await;
    let mut stream = port.announce(view("stuck").len()).await;
    stream.write_all(view("stuck").as_bytes()).await.unwrap();
    until("the view runs", || running(&server) == 1).await;
    // What it takes to answer is not the head's time.
    tokio::time::sleep(2 * head).await;
    server.index.released.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = rest(stream).await;
    assert!(String::from_utf8_lossy(&answer).contains(r#""result":"0x""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_is_cut_off() {
    let server = Server::with(Some(TIP), |views| views.max_response_bytes = 64 << 20);
    let stall = Duration::from_millis(200);
    let port = Port::new(server.router.clone(), Limits { stall, ..limits(10) }).await;
    let mut stream = port.announce(view("huge").len()).await;
    stream.write_all(view("huge").as_bytes()).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    assert!(server.held_bytes() >= Some(32 << 20));
    // It reads no more, until the server has given up.
    until("the answer is gone", || server.held_bytes() == Some(0)).await;
    let taken = rest(stream).await.len();
    assert!(taken < 32 * MIB, "all {taken} bytes were kept for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_are_answered_when_the_port_closes() {
    let server = Server::with(Some(TIP), |views| views.timeout_ms = 600_000);
    let port = Port::new(server.router.clone(), limits(10)).await;
    let idle = port.connect().await;
    let mut stream = port.announce(view("stuck").len()).await;
    stream.write_all(view("stuck").as_bytes()).await.unwrap();
    until("the view runs", || running(&server) == 1).await;
    port.closing.cancel();
    assert!(rest(idle).await.is_empty());
    server.index.released.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = rest(stream).await;
    assert!(String::from_utf8_lossy(&answer).contains(r#""result":"0x""#));
    port.serving.await.unwrap();
    assert!(TcpStream::connect(port.address).await.is_err());
}
