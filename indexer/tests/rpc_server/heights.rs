//! What an answer was read at, and requests that wait for a height.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use serde_json::{Value, json};

use crate::harness::{START, Server, TIP, hash, outcome, send, until};

fn entry(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// Posts a body with a minimal height; gives the headers and the answer.
async fn post(server: &Server, body: &Value, min_height: Option<&str>) -> (HeaderMap, Value) {
    let mut request = Request::post("/").header("origin", "https://wallet.example");
    if let Some(height) = min_height {
        request = request.header("x-shrewd-min-height", height);
    }
    let response = send(&server.router, request.body(Body::from(body.to_string())).unwrap()).await;
    let headers = response.headers().clone();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (headers, serde_json::from_slice(&bytes).unwrap())
}

fn read_at(headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let shown = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    (shown("x-shrewd-height"), shown("x-shrewd-block-hash"))
}

fn at(height: u32) -> (Option<String>, Option<String>) {
    (Some(height.to_string()), Some(hash(height).to_string()))
}

#[tokio::test]
async fn an_answer_names_the_block_it_was_read_at() {
    let server = Server::new();
    let cases = [
        (entry("metashrew_view", &json!(["echo", "0x"])), at(TIP)),
        (entry("metashrew_view", &json!(["echo", "0x", 101])), at(101)),
        (entry("metashrew_view", &json!(["echo", "0x", 5000])), at(TIP)),
        (entry("metashrew_preview", &json!(["0x", "echo", "0x", 101])), at(101)),
        (entry("metashrew_height", &json!([])), at(TIP)),
        (entry("metashrew_getblockhash", &json!([102])), at(102)),
        (entry("metashrew_stateroot", &json!(["latest"])), at(TIP)),
        // Below the first block of the index there is a height and no block.
        (
            entry("metashrew_view", &json!(["echo", "0x", START - 1])),
            (Some((START - 1).to_string()), None),
        ),
        (entry("metashrew_snapshot", &json!([])), (None, None)),
        (entry("metashrew_view", &json!(["fail", "0x"])), (None, None)),
        (entry("metashrew_stateroot", &json!([5000])), (None, None)),
    ];
    for (request, expected) in cases {
        let (headers, answer) = post(&server, &request, None).await;
        assert_eq!(read_at(&headers), expected, "{request}: {answer}");
    }
}

#[tokio::test]
async fn a_batch_names_a_block_if_all_its_answers_were_read_there() {
    let server = Server::new();
    let view = |height: u32| entry("metashrew_view", &json!(["echo", "0x", height]));
    let failing = entry("metashrew_view", &json!(["fail", "0x"]));
    let cases = [
        (json!([view(101), view(101)]), at(101)),
        (
            json!([view(101), failing, entry("metashrew_getblockhash", &json!([101]))]),
            at(101),
        ),
        (json!([view(101), view(102)]), (None, None)),
        (json!([failing]), (None, None)),
    ];
    for (batch, expected) in cases {
        assert_eq!(read_at(&post(&server, &batch, None).await.0), expected, "{batch}");
    }
}

#[tokio::test]
async fn browsers_may_read_and_send_the_headers() {
    let server = Server::with_cors("*");
    let (headers, _) = post(&server, &entry("metashrew_height", &json!([])), None).await;
    assert_eq!(
        headers["access-control-expose-headers"],
        "x-shrewd-height,x-shrewd-block-hash"
    );
    let preflight = Request::builder()
        .method("OPTIONS")
        .uri("/")
        .header("origin", "https://wallet.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-shrewd-min-height");
    let response = send(&server.router, preflight.body(Body::empty()).unwrap()).await;
    let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap();
    assert_eq!(allowed, "content-type,x-shrewd-min-height");
}

#[tokio::test]
async fn a_height_that_is_there_is_not_waited_for() {
    let server = Server::new();
    let request = entry("metashrew_view", &json!(["echo", "0x"]));
    let (headers, answer) = post(&server, &request, Some("103")).await;
    assert_eq!(
        (outcome(&answer), read_at(&headers)),
        (Ok("0x00000067".into()), at(TIP))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_its_height() {
    let server = std::sync::Arc::new(Server::with(Some(TIP), |views| views.timeout_ms = 600_000));
    let waiting = {
        let server = server.clone();
        let request = entry("metashrew_view", &json!(["echo", "0x"]));
        tokio::spawn(async move { post(&server, &request, Some("105")).await })
    };
    let looks = || server.index.looks.load(std::sync::atomic::Ordering::SeqCst);
    until("it has looked twice", || looks() >= 2).await;
    server.index.move_tip(TIP + 1);
    let before = looks();
    until("it has seen one block", || looks() >= before + 2).await;
    assert!(!waiting.is_finished());
    server.index.move_tip(105);
    let (headers, answer) = waiting.await.unwrap();
    assert_eq!(
        (outcome(&answer), read_at(&headers)),
        (Ok("0x00000069".into()), at(105))
    );
}

#[tokio::test]
async fn the_wait_for_a_height_is_bounded() {
    let server = Server::with(Some(TIP), |views| views.timeout_ms = 100);
    let batch = json!([
        entry("metashrew_height", &json!([])),
        {"jsonrpc": "2.0", "method": "metashrew_height"},
        {"jsonrpc": "2.0", "id": "b", "method": "metashrew_view", "params": ["echo", "0x", 101]},
    ]);
    let (headers, answers) = post(&server, &batch, Some("104")).await;
    assert_eq!(read_at(&headers), (None, None));
    let answers = answers.as_array().unwrap();
    assert_eq!(
        (answers.len(), &answers[0]["id"], &answers[1]["id"]),
        (2, &json!(1), &json!("b"))
    );
    for answer in answers {
        let expected = "height 104 of x-shrewd-min-height was not indexed within 100 ms (views.timeout); \
                        the last one is 103";
        assert_eq!(outcome(answer), Err((-32001, expected.into())));
    }
}

#[tokio::test]
async fn a_height_that_is_none_is_an_error() {
    let server = Server::new();
    let (_, answer) = post(&server, &entry("metashrew_height", &json!([])), Some("latest")).await;
    let expected = "the header x-shrewd-min-height must be a decimal height";
    assert_eq!(outcome(&answer), Err((-32602, expected.into())));
}

/// Blocks that were undone after the wait: what is read then is not what the client knows.
#[tokio::test]
async fn an_answer_is_never_read_below_the_wanted_height() {
    let server = Server::new();
    let request = entry("metashrew_view", &json!(["undone", "0x"]));
    let (_, answer) = post(&server, &request, Some("103")).await;
    let expected = "blocks were undone: the tip is 102 again, below the wanted 103";
    assert_eq!(outcome(&answer), Err((-32001, expected.into())));
    let below = entry("metashrew_view", &json!(["echo", "0x", 101]));
    server.index.move_tip(TIP);
    assert_eq!(
        read_at(&post(&server, &below, Some("103")).await.0),
        at(101),
        "as it asked"
    );
}
