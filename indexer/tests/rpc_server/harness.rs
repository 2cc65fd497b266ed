//! An index whose views do what a test needs, and requests in one line.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
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
    guest::{Budget, ViewAnswer, ViewError},
    serve::rpc::{self, Answered, Index, IndexedBlock, Page, Range, Read, ReadAt, Sizes, Terms, Written},
    state::Digest,
    telemetry::metrics::Metrics,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// First and last height of the index that tests ask.
pub(crate) const START: u32 = 100;
pub(crate) const TIP: u32 = 103;

/// An index of the blocks [`START`] to its tip.
#[derive(Default)]
pub(crate) struct Double {
    /// 0: none.
    tip: AtomicU32,
    pub(crate) unavailable: AtomicBool,
    /// Views that run now, and the most that ever did.
    pub(crate) running: AtomicUsize,
    pub(crate) running_max: AtomicUsize,
    /// Views that were told to stop.
    pub(crate) cancelled: AtomicUsize,
    /// Set, it lets `stuck` end.
    pub(crate) released: AtomicBool,
    /// How often the tip was looked at.
    pub(crate) looks: AtomicUsize,
    /// What `huge` was charged to.
    budget: Mutex<Option<Budget>>,
}

impl Index for Double {
    fn unavailable(&self) -> Option<String> {
        self.unavailable.load(Ordering::SeqCst).then(|| "shutting down".into())
    }

    fn tip(&self) -> Option<BlockRef> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.tip_height().map(|height| BlockRef {
            height: Height(height),
            hash: hash(height),
        })
    }

    fn block(&self, height: Height) -> Result<Option<IndexedBlock>, Fault> {
        let indexed = self.tip_height().is_some_and(|tip| (START..=tip).contains(&height.0));
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
            "huge",
            "undone",
        ]
        .contains(&function)
    }

    fn view(
        &self,
        function: &str,
        height: Option<Height>,
        input: Bytes,
        terms: &Terms<'_>,
    ) -> Result<Answered, ViewError> {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_max.fetch_max(now, Ordering::SeqCst);
        if function == "undone" {
            self.move_tip(self.tip_height().unwrap_or(0) - 1);
        }
        let at = self.at(height);
        let result = self.run(function, at.height.0, &input, terms);
        self.running.fetch_sub(1, Ordering::SeqCst);
        result.map(|answer| Answered { answer, at })
    }

    /// `echo`: the height of the block, then the block and the input. All else as in a view.
    fn preview(
        &self,
        function: &str,
        parent: Option<Height>,
        block: Bytes,
        input: Bytes,
        terms: &Terms<'_>,
    ) -> Result<Answered, ViewError> {
        if function != "echo" {
            return self.view(function, parent, input, terms);
        }
        let at = self.at(parent);
        let bytes = [&at.height.next().0.to_be_bytes()[..], &block, &input].concat();
        let answer = ViewAnswer {
            bytes: bytes.into(),
            malformed: false,
        };
        Ok(Answered { answer, at })
    }

    /// Keys are their own values, written at height [`START`]; the empty one is not there.
    fn get(&self, key: &[u8], height: Option<Height>, terms: &Terms<'_>) -> Result<Read<Option<Written>>, ViewError> {
        let charge = terms.budget.charge(key.len() as u64)?;
        *self.budget.lock().unwrap() = Some(terms.budget.clone());
        let key = charge.hold(key.to_vec());
        Ok(Read {
            found: (!key.is_empty()).then(|| written(key)),
            at: self.at(height),
        })
    }

    /// The prefix with one byte more each, from 1 to 5.
    fn scan(&self, range: &Range, height: Option<Height>, _terms: &Terms<'_>) -> Result<Read<Page>, ViewError> {
        let last = range.after.as_ref().and_then(|after| after.last().copied());
        let mut entries: Vec<_> = (last.unwrap_or(0) + 1..=5)
            .map(|byte| written([&range.prefix[..], &[byte]].concat().into()))
            .collect();
        let is_all = entries.len() <= range.limit;
        entries.truncate(range.limit);
        let after = entries.last().filter(|_| !is_all).map(|last| last.key.clone());
        Ok(Read {
            found: Page { entries, after },
            at: self.at(height),
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
    /// Indexes, or undoes, up to a height.
    pub(crate) fn move_tip(&self, height: u32) {
        self.tip.store(height, Ordering::SeqCst);
    }

    fn tip_height(&self) -> Option<u32> {
        Some(self.tip.load(Ordering::SeqCst)).filter(|tip| *tip > 0)
    }

    fn at(&self, height: Option<Height>) -> ReadAt {
        let tip = self.tip_height().unwrap_or(0);
        let at = height.map_or(tip, |height| height.0.min(tip));
        ReadAt {
            height: Height(at),
            hash: (at >= START).then(|| hash(at)),
        }
    }

    fn run(&self, function: &str, at: u32, input: &[u8], terms: &Terms<'_>) -> Result<ViewAnswer, ViewError> {
        let answer = |bytes: Vec<u8>| {
            Ok(ViewAnswer {
                bytes: bytes.into(),
                malformed: false,
            })
        };
        match function {
            // The height it ran at, then the input.
            "echo" => answer([&at.to_be_bytes(), input].concat()),
            "undone" => answer(Vec::new()),
            "fail" => Err(ViewError::Guest("balance: no such address".into())),
            "limit" => Err(ViewError::Limit("the view was refused memory".into())),
            "disk" => Err(ViewError::Host("read the index: disk".into())),
            "malformed" => Ok(ViewAnswer {
                bytes: Bytes::new(),
                malformed: true,
            }),
            "big" => answer(vec![7; 4096]),
            // More than any socket buffers, charged to the budget as a guest's is.
            "huge" => {
                let bytes = vec![7; 32 << 20];
                let charge = terms.budget.charge(bytes.len() as u64)?;
                *self.budget.lock().unwrap() = Some(terms.budget.clone());
                Ok(ViewAnswer {
                    bytes: charge.hold(bytes),
                    malformed: false,
                })
            }
            // Without the hook, whose backtrace takes seconds on a busy machine.
            "panic" => std::panic::resume_unwind(Box::new("a view that panics")),
            // Ends when it is cancelled.
            "wait" => loop {
                if terms.cancel.is_cancelled() {
                    self.cancelled.fetch_add(1, Ordering::SeqCst);
                    return Err(ViewError::Cancelled);
                }
                if Instant::now() >= terms.deadline {
                    return Err(ViewError::Deadline);
                }
                std::thread::sleep(Duration::from_millis(1));
            },
            // Cannot be stopped, as if in one long read.
            "stuck" => {
                while !self.released.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                answer(Vec::new())
            }
            other => Err(ViewError::UnknownFunction(other.into())),
        }
    }
}

fn written(key: Bytes) -> Written {
    Written {
        value: key.clone(),
        key,
        height: Height(START),
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
    /// Two views at a time, ten seconds, 64 KiB requests, 4 KiB answers.
    pub(crate) fn new() -> Self {
        Self::with(Some(TIP), |_| {})
    }

    pub(crate) fn with(tip: Option<u32>, change: impl FnOnce(&mut Views)) -> Self {
        let mut config = config();
        change(&mut config.views);
        Self::of(tip, config)
    }

    /// One that browsers of an origin may call.
    pub(crate) fn with_cors(origin: &str) -> Self {
        let mut config = config();
        config.cors_origin = Some(origin.into());
        Self::of(Some(TIP), config)
    }

    fn of(tip: Option<u32>, config: Config) -> Self {
        let index = Arc::new(Double::default());
        index.move_tip(tip.unwrap_or(0));
        let metrics = Arc::new(Metrics::new(&config).unwrap());
        let router = rpc::router(Arc::clone(&index), Arc::clone(&metrics), &config).unwrap();
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

    /// Bytes of answers that are held for clients.
    pub(crate) fn held_bytes(&self) -> Option<u64> {
        let budget = self.index.budget.lock().unwrap();
        budget.as_ref().map(Budget::in_use_bytes)
    }

    /// The text of the metric with these labels; none if it is not there.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        let report = indexer::telemetry::report::Report::new(&self.config);
        let text = self.metrics.render(&report.status()).unwrap();
        text.lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    }
}

/// A request for a view without input.
pub(crate) fn view(function: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": [function, "0x"]}).to_string()
}

/// Result, as text, or code and message, of one answer; panics if it is neither or both.
pub(crate) fn outcome(answer: &Value) -> Result<String, (i64, String)> {
    match (answer.get("result"), answer.get("error")) {
        (Some(Value::String(result)), None) => Ok(result.clone()),
        (Some(result), None) => Ok(result.to_string()),
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

/// Waits until something holds, a minute at most: the machine may be busy.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
