//! An API server that is played: it answers each call with what a function says, and keeps a list of them.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame};
use kube::{Client, client::Body};
use kubectl_shrewd::cluster::Cluster;
use serde_json::{Value, json};

/// What it answers.
#[derive(Clone)]
pub(crate) struct Answer {
    /// None: it never answers.
    status: Option<u16>,
    body: String,
    /// Whether the connection fails after the body.
    is_cut: bool,
}

/// The body of an answer.
type Sent = BoxBody<Bytes, io::Error>;

/// A call that was made.
struct Call {
    /// As `METHOD path`.
    call: String,
    query: String,
    body: Value,
}

/// The calls that were made.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

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
            is_cut: false,
        }
    }

    /// A text whose end does not arrive.
    pub(crate) fn cut(body: &str) -> Self {
        Self {
            is_cut: true,
            ..Self::text(200, body)
        }
    }

    /// None.
    pub(crate) fn never() -> Self {
        Self {
            status: None,
            ..Self::text(200, "")
        }
    }

    fn into_body(self) -> Sent {
        let whole = Ok(Frame::data(Bytes::from(self.body)));
        let cut = self
            .is_cut
            .then(|| Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        BodyExt::boxed(StreamBody::new(stream::iter(std::iter::once(whole).chain(cut))))
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
        self.0.lock().unwrap().iter().map(|made| made.call.clone()).collect()
    }

    /// How often this one was made.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.made().iter().filter(|made| *made == call).count()
    }

    /// Bodies of those with a method.
    pub(crate) fn bodies(&self, method: &str) -> Vec<Value> {
        let calls = self.0.lock().unwrap();
        let with_method = calls.iter().filter(|made| made.call.starts_with(method));
        with_method.map(|made| made.body.clone()).collect()
    }

    /// Queries of a call.
    pub(crate) fn queries(&self, call: &str) -> Vec<String> {
        let calls = self.0.lock().unwrap();
        let of_call = calls.iter().filter(|made| made.call == call);
        of_call.map(|made| made.query.clone()).collect()
    }
}

/// A cluster with it, in whose namespace `default` commands are.
pub(crate) fn server(answer: impl Fn(&str, &Calls) -> Answer + Send + 'static) -> (Cluster, Calls) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Sent>>();
    let calls = Calls::default();
    let seen = calls.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            let call = format!("{} {}", request.method(), request.uri().path());
            let query = request.uri().query().unwrap_or_default().to_owned();
            let body = request.into_body().collect_bytes().await.unwrap();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let made = Call {
                call: call.clone(),
                query,
                body,
            };
            seen.0.lock().unwrap().push(made);
            let answer = answer(&call, &seen);
            match answer.status {
                Some(status) => {
                    let response = Response::builder().status(status).body(answer.into_body());
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
