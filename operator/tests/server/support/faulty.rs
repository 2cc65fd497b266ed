//! A client whose calls are noted, and of which one fails in a chosen way.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Response};
use kube::{Client, client::Body};
use serde_json::json;
use tokio::sync::Notify;
use tower::BoxError;

/// So long a caller waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_millis(200);

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The server answers 500 and has done nothing.
    Error,
    /// The server answers 409 and has done nothing.
    Conflict,
    /// The request is swallowed, and the client gives up.
    Timeout,
    /// The server has done it, and the connection breaks before the answer.
    AnswerLost,
    /// The process is killed before the request leaves it.
    KilledBefore,
    /// The process is killed when the server has done it.
    KilledAfter,
}

impl Kind {
    /// What can happen to a write, and to a read. What the server does on a read leaves no trace, and none conflicts.
    pub(crate) fn of(call: &Call) -> &'static [Self] {
        if call.is_write() {
            &[
                Self::Error,
                Self::Conflict,
                Self::Timeout,
                Self::AnswerLost,
                Self::KilledBefore,
                Self::KilledAfter,
            ]
        } else {
            &[Self::Error, Self::Timeout, Self::KilledBefore]
        }
    }
}

/// A call: a request, and how many equal ones came before it in the same run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Call {
    method: String,
    path: String,
    ordinal: u32,
}

impl Call {
    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (number {})", self.method, self.path, self.ordinal)
    }
}

/// See the module. Shared by its clones, also by those in processes that come after one that was killed.
#[derive(Clone)]
pub(crate) struct Faults(Arc<Shared>);

struct Shared {
    namespace: String,
    /// What is to fail, and how.
    planned: Option<(Call, Kind)>,
    seen: Mutex<Seen>,
    killed: Notify,
}

#[derive(Default)]
struct Seen {
    counts: HashMap<(String, String), u32>,
    calls: Vec<Call>,
    has_failed: bool,
}

impl Faults {
    pub(crate) fn new(namespace: &str, planned: Option<(Call, Kind)>) -> Self {
        Self(Arc::new(Shared {
            namespace: namespace.to_owned(),
            planned,
            seen: Mutex::default(),
            killed: Notify::new(),
        }))
    }

    /// All calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.seen.lock().unwrap().calls.clone()
    }

    /// Whether what was planned has happened.
    pub(crate) fn have_struck(&self) -> bool {
        self.0.seen.lock().unwrap().has_failed
    }

    /// Waits until the process is to be killed.
    pub(crate) async fn killed(&self) {
        self.0.killed.notified().await;
    }

    /// A client that makes its calls through this one.
    pub(crate) fn client(&self, through: Client) -> Client {
        let faults = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (faults, through) = (faults.clone(), through.clone());
            async move { faults.answer(request, &through).await }
        });
        Client::new(service, self.0.namespace.clone())
    }

    async fn answer(&self, request: Request<Body>, through: &Client) -> Result<Response<Body>, BoxError> {
        match self.note(&request) {
            None => Ok(through.send(request).await?),
            Some(Kind::Error) => Ok(refusal(500, "InternalError")),
            Some(Kind::Conflict) => Ok(refusal(409, "Conflict")),
            Some(Kind::Timeout) => {
                tokio::time::sleep(PATIENCE).await;
                Err("no answer in time".into())
            }
            Some(Kind::AnswerLost) => {
                through.send(request).await?;
                Err("the connection was closed".into())
            }
            Some(Kind::KilledBefore) => self.kill().await,
            Some(Kind::KilledAfter) => {
                through.send(request).await?;
                self.kill().await
            }
        }
    }

    /// Notes a call. Returns how it is to fail.
    fn note(&self, request: &Request<Body>) -> Option<Kind> {
        let about = (request.method().to_string(), self.path(request));
        let mut seen = self.0.seen.lock().unwrap();
        let ordinal = seen.counts.entry(about.clone()).or_default();
        *ordinal += 1;
        let call = Call {
            method: about.0,
            path: about.1,
            ordinal: *ordinal,
        };
        seen.calls.push(call.clone());
        let (_, kind) = self.0.planned.as_ref().filter(|(planned, _)| *planned == call)?;
        // The process that follows one that was killed continues to count.
        (!std::mem::replace(&mut seen.has_failed, true)).then_some(*kind)
    }

    /// Path and query without what differs between two runs: namespace, versions, random names of events.
    fn path(&self, request: &Request<Body>) -> String {
        let path = request.uri().path().replace(&self.0.namespace, "NAMESPACE");
        let path = match path.split_once("/events/") {
            Some((before, _)) if *request.method() == Method::PATCH => format!("{before}/events/EVENT"),
            _ => path,
        };
        let query = request.uri().query().unwrap_or_default();
        let kept = query.split('&').filter(|parameter| {
            let names = ["watch=", "labelSelector=", "fieldSelector=", "limit="];
            names.iter().any(|name| parameter.starts_with(name))
        });
        let kept: Vec<&str> = kept.collect();
        format!("{path}?{}", kept.join("&"))
    }

    async fn kill(&self) -> Result<Response<Body>, BoxError> {
        self.0.killed.notify_one();
        std::future::pending().await
    }
}

fn refusal(code: u16, reason: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
                        "message": "the test lets this call fail"});
    let response = Response::builder()
        .status(code)
        .header("content-type", "application/json");
    response.body(Body::from(serde_json::to_vec(&status).unwrap())).unwrap()
}
