//! An API server that is played: it answers each call with what a function says, and keeps a list of them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response};
use kube::{Client, client::Body};
use kubectl_shrewd::cluster::Cluster;
use serde_json::{Value, json};

/// What it answers.
#[derive(Clone)]
pub(crate) struct Answer {
    /// None: it never answers.
    status: Option<u16>,
    body: String,
}

/// The calls that were made, as `METHOD path`, and their bodies.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<(String, Value)>>>);

impl Answer {
    /// An object.
    pub(crate) fn ok(object: &Value) -> Self {
        Self::text(200, &object.to_string())
    }

    /// Any text.
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self {
            status: Some(status),
            body: body.to_owned(),
        }
    }

    /// None.
    pub(crate) fn never() -> Self {
        Self {
            status: None,
            body: String::new(),
        }
    }
}

/// A refusal.
pub(crate) fn refusal(code: u16) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "message": "raw words", "reason": "Refused",
    });
    Answer::text(code, &status.to_string())
}

/// That an object does not exist.
pub(crate) fn not_found(resource: &str, name: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
        "message": format!("{resource} \"{name}\" not found"), "details": { "name": name, "kind": resource },
    });
    Answer::text(404, &status.to_string())
}

impl Calls {
    /// All of them.
    pub(crate) fn made(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(call, _)| call.clone()).collect()
    }

    /// How often this one was made.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.made().iter().filter(|made| *made == call).count()
    }

    /// Bodies of those with a method.
    pub(crate) fn bodies(&self, method: &str) -> Vec<Value> {
        let calls = self.0.lock().unwrap();
        let with_method = calls.iter().filter(|(call, _)| call.starts_with(method));
        with_method.map(|(_, body)| body.clone()).collect()
    }
}

/// A cluster with it, in whose namespace `default` commands are.
pub(crate) fn server(answer: impl Fn(&str, &Calls) -> Answer + Send + 'static) -> (Cluster, Calls) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let calls = Calls::default();
    let seen = calls.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            let call = format!("{} {}", request.method(), request.uri().path());
            let body = request.into_body().collect_bytes().await.unwrap();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            seen.0.lock().unwrap().push((call.clone(), body));
            let Answer { status, body } = answer(&call, &seen);
            match status {
                Some(status) => {
                    let response = Response::builder().status(status).body(Body::from(body.into_bytes()));
                    send.send_response(response.unwrap());
                }
                None => kept.push(send),
            }
        }
    });
    let cluster = Cluster {
        client: Client::new(service, "default"),
        namespace: "default".into(),
        timeout: Duration::from_millis(500),
    };
    (cluster, calls)
}
