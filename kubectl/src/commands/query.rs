//! `query`: one view, asked through the API server.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use crds::{Indexer, IndexerSpec, pod::RPC_PORT};
use http::HeaderMap;
use serde::Serialize;

use crate::{
    cluster::Cluster,
    document::{Format, document},
    forward::{self, Bounds},
    indexers, pods,
    rpc::{self, At},
};

/// What forwarding takes beside the view itself.
const FORWARD_TIME: Duration = Duration::from_secs(10);
/// What an answer has beside the hex of its bytes: JSON, or the words of an error.
const ENVELOPE_BYTES: usize = 64 << 10;
/// Of a spec whose bounds cannot be read: its defaults.
const VIEW_TIME: Duration = Duration::from_secs(10);
const VIEW_BYTES: u64 = 64 << 20;

/// A view to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Its name.
    pub function: String,
    /// Its input in hex.
    pub input: String,
    /// The block whose state it sees.
    pub at: At,
}

/// An answer, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    answer: String,
    height: Option<u32>,
    block_hash: Option<String>,
    pod: String,
}

/// The view's answer in hex.
///
/// # Errors
/// If no pod answers queries, it cannot be reached, or the view fails.
pub async fn query(cluster: &Cluster, name: &str, query: &Query, format: Option<Format>) -> Result<String> {
    if !rpc::is_hex(&query.input) {
        bail!(
            "{:?} is not hex: two digits for each byte, with 0x before them or without",
            query.input
        );
    }
    let (indexer, pod) = answering(cluster, name).await?;
    let call = rpc::view(&query.function, &query.input, query.at)
        .to_string()
        .into_bytes();
    let answered = forward::post(cluster, &pod, RPC_PORT, call, bounds(&indexer.spec))
        .await
        .with_context(|| format!("ask pod {pod}"))?;
    let answer = rpc::answer(&answered.body)?;
    match format {
        None => Ok(answer + "\n"),
        Some(format) => document(
            &Answer {
                answer,
                height: header(&answered.headers, "x-shrewd-height").and_then(|height| height.parse().ok()),
                block_hash: header(&answered.headers, "x-shrewd-block-hash"),
                pod,
            },
            format,
        ),
    }
}

/// The Indexer, and the pod that answers queries.
///
/// # Errors
/// If there is none.
pub(super) async fn answering(cluster: &Cluster, name: &str) -> Result<(Indexer, String)> {
    let indexer = indexers::get(cluster, name).await?.indexer;
    let revision = pods::active(&indexer)?;
    let pods = pods::of_revision(cluster, name, revision).await?;
    match pods::answering(&pods, &indexer) {
        Some(pod) => Ok((indexer, pod.to_owned())),
        None => bail!("no pod of {name} is ready to answer; `kubectl shrewd why {name}` says what they wait for"),
    }
}

/// As long as the view may take, and as many bytes as it may answer, which are two digits each.
fn bounds(spec: &IndexerSpec) -> Bounds {
    let view_bytes = spec.views.max_response_bytes.bytes().unwrap_or(VIEW_BYTES);
    let bytes = usize::try_from(view_bytes).unwrap_or(usize::MAX);
    Bounds {
        time: spec
            .views
            .timeout
            .duration()
            .unwrap_or(VIEW_TIME)
            .saturating_add(FORWARD_TIME),
        bytes: bytes.saturating_mul(2).saturating_add(ENVELOPE_BYTES),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn bounds_are_those_of_the_spec() {
        let bounds = bounds(&fixtures::following().spec);
        assert_eq!((bounds.time.as_secs(), bounds.bytes), (20, (128 << 20) + (64 << 10)));
    }
}
