//! A store, a module and the server over both; blocks are indexed by the test itself.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response},
};
use bitcoin::{BlockHash, hashes::Hash as _};
use bytes::Bytes;
use crds::{
    Identity, Network,
    pod::{Config, Views},
};
use indexer::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{CancelFlag, Engine, EngineConfig, Indexing, Module},
    serve::rpc,
    serve::serving::Serving,
    state::{Digest, State, WriteSet},
    store::{Durability, Reader, Store},
    telemetry::metrics::Metrics,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) const MIB: u64 = 1 << 20;
/// The first block of every index here.
pub(crate) const START: u32 = 100;

/// Blocks of these moods, see `moody.wat`.
pub(crate) const MOODY: &str = include_str!("moody.wat");

pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: Config,
    pub(crate) router: Router,
    pub(crate) serving: Arc<Serving>,
    guest: Indexing,
}

/// What a block reads, and that it does.
struct Signal {
    state: Reader,
    reads: Arc<AtomicBool>,
}

impl State for Signal {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.reads.store(true, Ordering::SeqCst);
        self.state.get(key)
    }
}

/// What a test may wish to be otherwise.
pub(crate) struct Limits {
    /// Memory of a guest that indexes.
    pub(crate) limit_bytes: u64,
    /// Linear memory at which a refresh is due.
    pub(crate) threshold_bytes: u64,
    pub(crate) views: Views,
}

impl Stage {
    /// An index of the blocks [`START`] to `tip`, each of one zero byte; 4 views at a time, a minute for each.
    pub(crate) fn up_to(tip: u32, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits {
            limit_bytes: 8 * MIB,
            threshold_bytes: 8 * MIB,
            views: Views {
                max_concurrent: 4,
                timeout_ms: 60_000,
                memory_limit_bytes: 32 * MIB,
                max_request_bytes: 8 * MIB,
                max_response_bytes: MIB,
            },
        };
        change(&mut limits);
        let config = config(limits);
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new(&EngineConfig {
            limit_bytes: config.identity.memory_limit_bytes,
            view_memory_limit_bytes: config.views.memory_limit_bytes,
            max_views: config.views.max_concurrent,
            cache_dir: None,
        });
        let module = Module::load(&engine.unwrap(), &wat::parse_str(MOODY).unwrap()).unwrap();
        let store = Store::open(folder.path(), &config.identity, config.max_reorg_depth).unwrap();
        let metrics = Arc::new(Metrics::new(&config).unwrap());
        let serving = Serving::new(config.views.max_response_bytes);
        serving.open(store.clone(), module.clone());
        let router = rpc::router(serving.clone(), Arc::clone(&metrics), &config).unwrap();
        let mut stage = Self {
            folder,
            store,
            metrics,
            config,
            router,
            serving,
            guest: Indexing::new(module),
        };
        for height in START..=tip {
            stage.index(height);
        }
        stage
    }

    /// Runs and commits the next block, as the pipeline does.
    pub(crate) fn index(&mut self, height: u32) {
        let writes = self.run(height, &[0], &CancelFlag::new(), &Arc::default()).unwrap();
        let at = BlockRef {
            height: Height(height),
            hash: BlockHash::from_byte_array([7; 32]),
        };
        let before = self.store.tip().map_or(Digest([0; 32]), |tip| tip.digest);
        let digest = before.next(at.height, at.hash, writes.hash());
        self.store.commit(at, &writes, digest, Durability::Lazy).unwrap();
    }

    /// Runs a block on a fresh instance and commits nothing. `reads` is set once the guest reads, and so runs.
    pub(crate) fn run(
        &mut self,
        height: u32,
        block: &[u8],
        stop: &CancelFlag,
        reads: &Arc<AtomicBool>,
    ) -> Result<WriteSet, Fault> {
        let state = Box::new(Signal {
            state: self.store.reader(Height(height - 1)),
            reads: Arc::clone(reads),
        });
        self.guest.drop_instance();
        self.guest
            .run(Height(height), Bytes::copy_from_slice(block), state, stop)
    }

    /// Calls one method; gives its result, or its error's code and message.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<String, (i64, String)> {
        call(&self.router, method, params).await
    }

    /// The headers of an answer that name a block: its height and hash.
    pub(crate) async fn read_at(&self, method: &str, params: Value) -> (Option<String>, Option<String>) {
        let answer = send(&self.router, method, params).await;
        let shown = |name: &str| Some(answer.headers().get(name)?.to_str().unwrap().to_owned());
        (shown("x-shrewd-height"), shown("x-shrewd-block-hash"))
    }

    /// The number at a metric's name with its labels; none if it is not there.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        let report = indexer::telemetry::report::Report::new(&self.config);
        let text = self.metrics.render(&report.status()).unwrap();
        text.lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    }
}

pub(crate) async fn call(router: &Router, method: &str, params: Value) -> Result<String, (i64, String)> {
    let answer = send(router, method, params).await;
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    match answer.get("result") {
        Some(Value::String(result)) => Ok(result.clone()),
        Some(result) => Ok(result.to_string()),
        None => Err((
            answer["error"]["code"].as_i64().unwrap(),
            answer["error"]["message"].as_str().unwrap().to_owned(),
        )),
    }
}

async fn send(router: &Router, method: &str, params: Value) -> Response<Body> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let request = Request::post("/").body(Body::from(body)).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

/// Waits until something holds, for a minute at most: the machine may be busy.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What `get` answers: the height it ran at and a number.
pub(crate) fn got(height: u32, number: u32) -> Result<String, (i64, String)> {
    Ok(format!("0x{:08x}{:08x}", height.swap_bytes(), number.swap_bytes()))
}

fn config(limits: Limits) -> Config {
    let text = include_str!("../data/config.yaml");
    let mut config: Config = serde_yaml::from_str(text).unwrap();
    config.views = limits.views;
    config.threshold_bytes = limits.threshold_bytes;
    config.identity = Identity {
        module_sha256: "ab".repeat(32),
        network: Network::Regtest,
        start_height: START,
        memory_limit_bytes: limits.limit_bytes,
    };
    config
}

/// Hashes of all files below a folder, by their path; RocksDB's diary, which it writes out at times of its own, left
/// out.
pub(crate) fn files(folder: &Path) -> Vec<(String, blake3::Hash)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("LOG") {
            found.push((path.display().to_string(), blake3::hash(&std::fs::read(&path).unwrap())));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
