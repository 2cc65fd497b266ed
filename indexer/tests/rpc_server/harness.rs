//! An index whose views do what a test needs, and requests in one line.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode},
};
use bitcoin::{BlockHash, hashes::Hash as _};
use bytes::Bytes;
use crds::pod::{Config, Views};
use indexer::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{CancelFlag, ViewAnswer, ViewError},
    serve::rpc::{self, Index, IndexedBlock, Sizes},
    state::Digest,
    telemetry::metrics::Metrics,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// First and last height of the index that tests ask.
pub(crate) const START: u32 = 100;
pub(crate) const TIP: u32 = 103;

/// An index of the blocks [`START`] to `tip`.
#[derive(Default)]
pub(crate) struct Double {
    pub(crate) tip: Option<u32>,
    pub(crate) unavailable: AtomicBool,
    /// Views that run now, and the most that ever did.
    pub(crate) running: AtomicUsize,
    pub(crate) running_max: AtomicUsize,
    /// Views that were told to stop.
    pub(crate) cancelled: AtomicUsize,
}

impl Index for Double {
    fn unavailable(&self) -> Option<String> {
        self.unavailable.load(Ordering::SeqCst).then(|| "shutting down".into())
    }

    fn tip(&self) -> Option<BlockRef> {
        self.tip.map(|height| BlockRef {
            height: Height(height),
            hash: hash(height),
        })
    }

    fn block(&self, height: Height) -> Result<Option<IndexedBlock>, Fault> {
        let indexed = self.tip.is_some_and(|tip| (START..=tip).contains(&height.0));
        Ok(indexed.then(|| IndexedBlock {
            hash: hash(height.0),
            digest: Digest([height.0.to_le_bytes()[0]; 32]),
        }))
    }

    fn has_view(&self, function: &str) -> bool {
        [
            "echo",
            "fail",
            "limit",
            "disk",
            "malformed",
            "big",
            "panic",
            "wait",
            "stuck",
        ]
        .contains(&function)
    }

    fn view(
        &self,
        function: &str,
        height: Option<Height>,
        input: Bytes,
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError> {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_max.fetch_max(now, Ordering::SeqCst);
        let result = self.run(function, height, &input, deadline, cancel);
        self.running.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// `echo`: the height of the block, then the block and the input. All else as in a view.
    fn preview(
        &self,
        function: &str,
        parent: Option<Height>,
        block: Bytes,
        input: Bytes,
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError> {
        if function != "echo" {
            return self.view(function, parent, input, deadline, cancel);
        }
        let tip = self.tip.unwrap_or(0);
        let height = parent.map_or(tip, |height| height.0.min(tip)) + 1;
        Ok(ViewAnswer {
            bytes: [&height.to_be_bytes()[..], &block, &input].concat().into(),
            malformed: false,
        })
    }

    fn sizes(&self) -> Result<Sizes, Fault> {
        Ok(Sizes {
            entries: 12,
            bytes_on_disk: 3456,
            blocks: 4,
        })
    }
}

impl Double {
    fn run(
        &self,
        function: &str,
        height: Option<Height>,
        input: &[u8],
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError> {
        let answer = |bytes: Vec<u8>| {
            Ok(ViewAnswer {
                bytes: bytes.into(),
                malformed: false,
            })
        };
        match function {
            // The height it ran at, then the input.
            "echo" => {
                let tip = self.tip.unwrap_or(0);
                let at = height.map_or(tip, |height| height.0.min(tip));
                answer([&at.to_be_bytes(), input].concat())
            }
            "fail" => Err(ViewError::Guest("balance: no such address".into())),
            "limit" => Err(ViewError::Limit("the view was refused memory".into())),
            "disk" => Err(ViewError::Host("read the index: disk".into())),
            "malformed" => Ok(ViewAnswer {
                bytes: Bytes::new(),
                malformed: true,
            }),
            "big" => answer(vec![7; 4096]),
            // Without the hook, whose backtrace takes seconds on a busy machine.
            "panic" => std::panic::resume_unwind(Box::new("a view that panics")),
            // Ends when it is told to.
            "wait" => loop {
                if cancel.is_cancelled() {
                    self.cancelled.fetch_add(1, Ordering::SeqCst);
                    return Err(ViewError::Cancelled);
                }
                if Instant::now() >= deadline {
                    return Err(ViewError::Limit("ran longer than it may".into()));
                }
                std::thread::sleep(Duration::from_millis(1));
            },
            // Cannot be stopped for three seconds after its deadline, as if in one long read.
            "stuck" => {
                std::thread::sleep(deadline.saturating_duration_since(Instant::now()) + Duration::from_secs(3));
                answer(Vec::new())
            }
            other => Err(ViewError::UnknownFunction(other.into())),
        }
    }
}

/// A hash whose display form begins with the height.
pub(crate) fn hash(height: u32) -> BlockHash {
    let mut bytes = [0; 32];
    bytes[28..].copy_from_slice(&height.to_le_bytes());
    BlockHash::from_byte_array(bytes)
}

/// A server over the double, and what else tests look at.
pub(crate) struct Server {
    pub(crate) index: Arc<Double>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
    pub(crate) router: Router,
}

impl Server {
    /// Two places, ten seconds, 64 KiB requests, 4 KiB answers.
    pub(crate) fn new() -> Self {
        Self::with(Some(TIP), |_| {})
    }

    pub(crate) fn with(tip: Option<u32>, change: impl FnOnce(&mut Views)) -> Self {
        let mut config = config();
        change(&mut config.views);
        let index = Arc::new(Double {
            tip,
            ..Double::default()
        });
        let metrics = Arc::new(Metrics::new(&config).unwrap());
        let router = rpc::router(
            Arc::clone(&index),
            Arc::clone(&metrics),
            &config.views,
            config.cors_origin.as_deref(),
        )
        .unwrap();
        Self {
            index,
            metrics,
            config,
            router,
        }
    }

    /// Posts a body; gives the JSON that comes back, or null for 204.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> Value {
        let response = send(&self.router, Request::post("/").body(body.into()).unwrap()).await;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        if status == StatusCode::NO_CONTENT {
            assert!(bytes.is_empty());
            return Value::Null;
        }
        assert_eq!(status, StatusCode::OK);
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Calls one method; gives its result or its error's code and message.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<String, (i64, String)> {
        let answer = self
            .post(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string())
            .await;
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"]),
            (&json!("2.0"), &json!(1)),
            "{answer}"
        );
        outcome(&answer)
    }

    /// The text of the metric with these labels; none if it is not there.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        let report = indexer::telemetry::report::Report::new(&self.config);
        let text = self.metrics.render(&report.status()).unwrap();
        text.lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    }
}

/// Result, or code and message, of one answer; panics if it is neither or both.
pub(crate) fn outcome(answer: &Value) -> Result<String, (i64, String)> {
    match (answer.get("result"), answer.get("error")) {
        (Some(Value::String(result)), None) => Ok(result.clone()),
        (None, Some(error)) => Err((
            error["code"].as_i64().unwrap(),
            error["message"].as_str().unwrap().to_owned(),
        )),
        _ => panic!("neither a result nor an error: {answer}"),
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.unwrap()
}

pub(crate) fn config() -> Config {
    serde_yaml::from_str(include_str!("../data/config.yaml")).unwrap()
}

/// Waits until something holds, for a minute at most: the machine may be busy.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
