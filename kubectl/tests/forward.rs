//! `query` and `views` over loopback: a server that plays the API server, and behind it the pod's port.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::{fs, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};
use kube::{Client, Config};
use kubectl_shrewd::{
    cluster::Cluster,
    commands::{
        query::{self, Query},
        views,
    },
    document::Format,
    rpc::At,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};

const DATA: u8 = 0;
const ERROR: u8 = 1;

/// What the pod does with a request.
#[derive(Clone, Copy)]
enum Pod {
    /// It answers with this body.
    Answers(&'static str),
    /// It answers with this body at `/views` of its other port, or, without one, as a version that has no such path.
    Lists(Option<&'static str>),
    /// Nothing listens on its port.
    Refuses,
}

/// A cluster whose API server is at loopback.
async fn cluster(pod: Pod) -> Cluster {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, pod));
        }
    });
    let config = Config::new(format!("http://{address}").parse().unwrap());
    Cluster {
        client: Client::try_from(config).unwrap(),
        namespace: "default".into(),
        timeout: Duration::from_secs(30),
    }
}

/// One request of a client.
async fn serve(mut stream: TcpStream, pod: Pod) {
    let mut head = vec![0; 4096];
    let peeked = stream.peek(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..peeked]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    if path.contains("/portforward") {
        return forward(stream, pod).await;
    }
    let body = if path.contains("/indexers/") {
        let file = format!("{}/tests/stages/following/in.yaml", env!("CARGO_MANIFEST_DIR"));
        serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    } else {
        let conditions = json!([{ "type": "Ready", "status": "True" }]);
        let pod = json!({ "metadata": { "name": "outpoints-0" }, "status": { "conditions": conditions } });
        json!({ "metadata": {}, "items": [pod] })
    };
    answer(&mut stream, &body).await;
}

async fn answer(stream: &mut TcpStream, body: &Value) {
    let mut request = vec![0; 16 << 10];
    let _ = stream.read(&mut request).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
}

/// The port of the pod, as the API server forwards it.
async fn forward(stream: TcpStream, pod: Pod) {
    #[allow(clippy::result_large_err)] // the type is the library's
    let with_protocol = |_: &Request, mut response: Response| {
        let protocol = HeaderValue::from_static("v4.channel.k8s.io");
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        Ok(response)
    };
    let mut socket = accept_hdr_async(stream, with_protocol).await.unwrap();
    // Both channels begin with the port, little-endian.
    let port: u16 = if matches!(pod, Pod::Lists(_)) { 9090 } else { 8080 };
    for channel in [DATA, ERROR] {
        socket
            .send(Message::binary([&[channel], &port.to_le_bytes()[..]].concat()))
            .await
            .unwrap();
    }
    let (body, end, expected) = match pod {
        Pod::Answers(body) => (Some(body), "}", r#""params":["tip","0x","latest"]"#),
        Pod::Lists(body) => (body, "\r\n\r\n", "GET /views HTTP/1.1"),
        Pod::Refuses => {
            let words = [&[ERROR], &b"connection refused by the pod"[..]].concat();
            socket.send(Message::binary(words)).await.unwrap();
            socket.close(None).await.unwrap();
            return;
        }
    };
    let mut request = Vec::new();
    while !request.ends_with(end.as_bytes()) {
        let Some(Ok(Message::Binary(part))) = socket.next().await else {
            return;
        };
        assert_eq!(part[0], DATA);
        request.extend_from_slice(&part[1..]);
    }
    let request = String::from_utf8(request).unwrap();
    assert!(request.contains(expected), "{request}");
    let status = body.map_or("404 Not Found", |_| "200 OK");
    let body = body.unwrap_or_default();
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nx-shrewd-height: 902310\r\n\r\n{body}",
        body.len()
    );
    socket
        .send(Message::binary([&[DATA], response.as_bytes()].concat()))
        .await
        .unwrap();
    // It is the client that ends the connection.
    while let Some(Ok(_)) = socket.next().await {}
}

fn tip() -> Query {
    Query {
        function: "tip".into(),
        input: "0x".into(),
        at: At::Latest,
    }
}

#[tokio::test]
async fn a_view_is_asked_through_the_api_server() {
    let cluster = cluster(Pod::Answers(r#"{"jsonrpc":"2.0","id":1,"result":"0x00ff"}"#)).await;
    assert_eq!(
        query::query(&cluster, "outpoints", &tip(), None).await.unwrap(),
        "0x00ff\n"
    );
    let json = query::query(&cluster, "outpoints", &tip(), Some(Format::Json))
        .await
        .unwrap();
    let expected = json!({ "answer": "0x00ff", "height": 902_310, "blockHash": null, "pod": "outpoints-0" });
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
}

#[tokio::test]
async fn errors_of_the_view_and_of_the_connection_are_words() {
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no luck"}}"#;
    let failed = query::query(&cluster(Pod::Answers(error)).await, "outpoints", &tip(), None).await;
    assert_eq!(
        failed.unwrap_err().to_string(),
        "the view failed: no luck (JSON-RPC error -32000)"
    );
    let refused = query::query(&cluster(Pod::Refuses).await, "outpoints", &tip(), None).await;
    let words = format!("{:#}", refused.unwrap_err());
    assert_eq!(
        words,
        "ask pod outpoints-0: the connection to the pod failed: connection refused by the pod"
    );
}

#[tokio::test]
async fn the_views_of_a_module_are_listed_by_a_pod() {
    let list = cluster(Pod::Lists(Some(r#"{"views":["balance","tip"],"leftOut":0}"#))).await;
    let listed = views::views(&list, "outpoints", None).await.unwrap();
    assert_eq!(listed, ("balance\ntip\n".into(), None));
    let (json, _) = views::views(&list, "outpoints", Some(Format::Json)).await.unwrap();
    let expected = json!({ "views": ["balance", "tip"], "leftOut": 0, "pod": "outpoints-0" });
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
}

#[tokio::test]
async fn a_pod_that_lists_no_views_says_why() {
    for (pod, words) in [
        (
            Pod::Lists(None),
            "pod outpoints-0 runs a version that does not list its views",
        ),
        (
            Pod::Lists(Some("hello")),
            "pod outpoints-0 answered with something other than a list of views",
        ),
    ] {
        let error = views::views(&cluster(pod).await, "outpoints", None).await.unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
    }
}
