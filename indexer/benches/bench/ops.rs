//! The ops port of a process: its report and its metrics.

use std::{collections::HashMap, time::Duration};

use crds::pod::{STATUS_PATH, Status};
use reqwest::Client;
use tokio::runtime::Runtime;

/// What every metric's name begins with.
const PREFIX: &str = "shrewd_indexer_";
/// A process that does not answer by then is counted as one that does not listen.
const PATIENCE: Duration = Duration::from_secs(5);

/// The stages of a block, as `block_stage_seconds` names them.
pub(crate) const STAGES: [&str; 4] = ["fetch", "wait", "execute", "commit"];

/// Asks, and waits for the answer.
pub(crate) struct Ops {
    client: Client,
    runtime: Runtime,
    url: String,
}

/// Metrics by name and labels, without the prefix: `height`, `store_bytes{family="rows"}`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(HashMap<String, f64>);

impl Ops {
    pub(crate) fn new(port: u16) -> Self {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build();
        Self {
            client: client.expect("make an HTTP client"),
            runtime: Runtime::new().expect("start a runtime"),
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.get("/readyz").is_some()
    }

    /// None while nothing listens.
    pub(crate) fn status(&self) -> Option<Status> {
        let text = self.get(STATUS_PATH)?;
        Some(serde_json::from_str(&text).expect("a status"))
    }

    /// None while nothing listens.
    pub(crate) fn metrics(&self) -> Option<Metrics> {
        self.get("/metrics").map(|text| Metrics::parse(&text))
    }

    fn get(&self, path: &str) -> Option<String> {
        self.runtime.block_on(async {
            let answer = self.client.get(format!("{}{path}", self.url)).send().await.ok()?;
            answer.error_for_status().ok()?.text().await.ok()
        })
    }
}

impl Metrics {
    fn parse(text: &str) -> Self {
        let metric = |line: &str| {
            let (name, value) = line.strip_prefix(PREFIX)?.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(text.lines().filter_map(metric).collect())
    }

    /// None if there is no such metric.
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Seconds spent in a stage so far.
    pub(crate) fn stage_seconds(&self, stage: &str) -> f64 {
        self.get(&format!(r#"block_stage_seconds_sum{{stage="{stage}"}}"#))
            .unwrap_or(0.0)
    }

    /// Blocks that the guest has run so far. It moves with every block; a height that is committed moves with batches.
    pub(crate) fn blocks_run(&self) -> f64 {
        self.get(r#"block_stage_seconds_count{stage="execute"}"#).unwrap_or(0.0)
    }
}
