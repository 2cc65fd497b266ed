//! JSON-RPC: whatever the body, each request in it is answered once, by a well-formed object with its own id.
#![no_main]
#![allow(clippy::expect_used)] // a panic is how a target says that something is wrong

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{Request, StatusCode},
};
use fuzz::index::Double;
use indexer::{serve::rpc, telemetry::metrics::Metrics};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::runtime::{self, Runtime};
use tower::ServiceExt as _;

const CODES: [i64; 7] = [-32700, -32600, -32601, -32602, -32000, -32001, -32002];
/// Entries of a batch.
const BATCH_MAX: usize = 1000;

fn stage() -> &'static (Router, Runtime) {
    static STAGE: OnceLock<(Router, Runtime)> = OnceLock::new();
    STAGE.get_or_init(|| {
        let config: crds::pod::Config =
            serde_yaml::from_str(include_str!("../../tests/data/config.yaml")).expect("a configuration");
        let metrics = Arc::new(Metrics::new(&config).expect("metrics"));
        let router = rpc::router(Arc::new(Double), metrics, &config).expect("a router");
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        (router, runtime.expect("a runtime"))
    })
}

/// The answer, which is JSON; none: there was nothing to answer.
async fn post(body: &[u8]) -> Option<Bytes> {
    let request = Request::post("/").body(Body::from(body.to_vec())).expect("a request");
    let response = stage().0.clone().oneshot(request).await.expect("an answer");
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("all of it");
    if status == StatusCode::NO_CONTENT {
        assert!(bytes.is_empty());
        return None;
    }
    assert_eq!(status, StatusCode::OK);
    let _: IgnoredAny = serde_json::from_slice(&bytes).expect("JSON");
    Some(bytes)
}

fn check_one(answer: &Value, request: Option<&Value>) {
    assert_eq!(answer["jsonrpc"], "2.0");
    match (answer.get("result"), answer.get("error")) {
        (Some(Value::String(_) | Value::Object(_) | Value::Null), None) => {}
        (None, Some(error)) => {
            assert!(
                error["code"].as_i64().is_some_and(|code| CODES.contains(&code)),
                "{answer}"
            );
            assert!(
                error["message"].as_str().is_some_and(|text| !text.is_empty()),
                "{answer}"
            );
        }
        _ => panic!("{answer}"),
    }
    let id = answer.get("id").expect("an id");
    let is_its_own = request.and_then(|request| request.get("id")) == Some(id);
    assert!(
        id.is_null() || request.is_none() || is_its_own,
        "{answer} to {request:?}"
    );
}

/// Whether nothing but an answer will do: it is not even in the form of a notification.
fn must_be_answered(request: &Value) -> bool {
    request.as_object().is_none_or(|request| request.contains_key("id"))
}

fuzz_target!(|body: &[u8]| {
    let answer = stage().1.block_on(post(body));
    // A little less than JSON is: no numbers beyond f64, no half characters, no deep nesting.
    let request: Option<Value> = serde_json::from_slice(body).ok();
    let answer = match answer.as_deref().map(serde_json::from_slice::<Value>) {
        None => None,
        Some(Ok(answer)) => Some(answer),
        // It holds an id that is such.
        Some(Err(_)) => return assert!(request.is_none()),
    };
    match (answer, request) {
        (Some(Value::Array(answers)), Some(Value::Array(requests))) => {
            let needed = requests.iter().filter(|request| must_be_answered(request)).count();
            assert!((needed.max(1)..=requests.len().min(BATCH_MAX)).contains(&answers.len()));
            answers.iter().for_each(|answer| check_one(answer, None));
        }
        (Some(Value::Array(answers)), None) => answers.iter().for_each(|answer| check_one(answer, None)),
        (Some(answer), request) => {
            // What this reader of JSON takes is JSON.
            let is_json = request.is_some();
            assert!(!is_json || answer["error"]["code"] != -32700, "{answer}");
            check_one(&answer, request.as_ref());
        }
        (None, Some(Value::Array(requests))) => assert!(!requests.iter().any(must_be_answered)),
        (None, Some(request)) => assert!(!must_be_answered(&request)),
        (None, None) => {}
    }
});
