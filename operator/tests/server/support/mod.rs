//! A real API server with its etcd, without nodes: what is written is validated, stored and watched as in a cluster, and
//! nothing acts on it, unless the test has a substitute for controllers and nodes do so (`stand_in`). Starts within
//! seconds, so each test has its own.

pub(crate) mod api_server;
pub(crate) mod audit;
pub(crate) mod faulty;
pub(crate) mod pods;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod stand_in;

use std::{
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

use crds::Indexer;
use serde_json::json;

/// Waits for something, and says how long it took.
///
/// # Panics
/// If it does not come within `limit`.
pub(crate) async fn within<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return (found, start.elapsed());
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An Indexer for which every object is made, and no pod.
pub(crate) fn indexer(name: &str) -> Indexer {
    serde_json::from_value(json!({
        "apiVersion": "shrewd.dev/v1alpha1",
        "kind": "Indexer",
        "metadata": {"name": name},
        "spec": {
            "module": {"sha256": "3b1f".repeat(16), "configMap": {"name": "one", "key": "module.wasm"}},
            "chain": {"network": "mainnet", "source": {"bitcoind": {"urls": ["http://bitcoind:8332"]}}},
        },
    }))
    .unwrap()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Prints the end of a log, for a test that failed.
pub(crate) fn show_end(log: &Path) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let end: Vec<&str> = text.lines().rev().take(60).collect();
    println!("-- the end of {}", log.display());
    end.iter().rev().for_each(|line| println!("{line}"));
}
