use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use crds::pod::Config;
use indexer::serve::rpc;
use serde_json::{Value, json};

use crate::harness::{Server, TIP, outcome, send};

fn height(id: impl Into<Value>) -> Value {
    let id = id.into();
    json!({"jsonrpc": "2.0", "id": id, "method": "metashrew_height", "params": []})
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order() {
    let server = Server::new();
    let batch = json!([
        height("a"),
        7,
        {"jsonrpc": "2.0", "method": "metashrew_height"},
        {"jsonrpc": "2.0", "id": null, "method": "metashrew_nothing"},
        height(-1.5),
    ]);
    let answers = server.post(batch.to_string()).await;
    let ids: Vec<&Value> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!("a"), &Value::Null, &Value::Null, &json!(-1.5)]);
    let codes: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| outcome(answer).map_err(|e| e.0))
        .collect();
    assert_eq!(codes, [Ok("103".into()), Err(-32600), Err(-32601), Ok("103".into())]);
}

/// Contract §8.17.
#[tokio::test]
async fn batch_of_a_thousand_obeyed() {
    let batch: Vec<Value> = (0..1_000).map(height).collect();
    let server = Server::with(Some(TIP), |views| views.max_request_bytes = 1 << 20);
    let answers = server.post(json!(batch).to_string()).await;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 1_000);
    for (id, answer) in answers.iter().enumerate() {
        assert_eq!(answer, &json!({"jsonrpc": "2.0", "result": "103", "id": id}));
    }
}

/// Contract §8.17.
#[tokio::test]
async fn batch_of_a_thousand_violated() {
    let answer = Server::new().post(format!("[{}]", vec!["{}"; 1_001].join(","))).await;
    assert_eq!(
        outcome(&answer),
        Err((-32600, "a batch may have at most 1000 entries".into()))
    );
    assert_eq!(answer["id"], Value::Null);
}

#[tokio::test]
async fn notifications_are_not_answered() {
    let server = Server::new();
    let notification = json!({"jsonrpc": "2.0", "method": "metashrew_height"});
    assert_eq!(server.post(notification.to_string()).await, Value::Null);
    assert_eq!(
        server.post(json!([notification, notification]).to_string()).await,
        Value::Null
    );
}

#[tokio::test]
async fn a_browser_gets_the_methods_and_an_example() {
    let server = Server::new();
    let response = send(&server.router, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8_lossy(&text);
    let methods = "metashrew_view, metashrew_preview, metashrew_height, metashrew_getblockhash, metashrew_stateroot, \
                   metashrew_snapshot, shrewd_get, shrewd_scan\n";
    assert!(
        text.ends_with(&format!("Methods: {methods}")) && text.contains(r#""method":"metashrew_height""#),
        "{text}"
    );
}

/// A server of the same index for browsers of an origin.
fn router(server: &Server, origin: Option<&str>) -> Result<axum::Router, rpc::Error> {
    let config = Config {
        cors_origin: origin.map(str::to_owned),
        ..server.config.clone()
    };
    rpc::router(server.index.clone(), server.metrics.clone(), &config)
}

#[tokio::test]
async fn browsers_of_other_origins_may_call_only_when_configured() {
    let preflight = || {
        Request::builder()
            .method(Method::OPTIONS)
            .uri("/")
            .header(header::ORIGIN, "https://wallet.example")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type")
            .body(Body::empty())
            .unwrap()
    };
    let server = Server::new();
    let allowed = async |origin: Option<&str>| {
        let router = router(&server, origin).unwrap();
        let response = send(&router, preflight()).await;
        response
            .headers()
            .get(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(allowed(None).await, None);
    assert_eq!(allowed(Some("*")).await.as_deref(), Some("*"));
    assert_eq!(
        allowed(Some("https://wallet.example")).await.as_deref(),
        Some("https://wallet.example")
    );
    assert_eq!(
        allowed(Some("https://other.example,https://wallet.example"))
            .await
            .as_deref(),
        Some("https://wallet.example")
    );
    assert_eq!(allowed(Some("https://other.example,https://third.example")).await, None);
    assert!(router(&server, Some("a\nb")).is_err());
}
