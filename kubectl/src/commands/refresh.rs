//! `refresh`: a fresh instance of the guest in every pod.

use std::time::Duration;

use anyhow::{Result, bail};
use crds::Indexer;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{cluster::Cluster, indexers, names, units};

/// How long, and how often, it is looked whether all pods have acted.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// After this it is given up.
    pub timeout: Duration,
    /// The pause between two looks.
    pub every: Duration,
}

/// Statuses are written within a second or two of a change; asking more often shows nothing new.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Requests a refresh, and waits until every pod has made one if that is wanted. Returns what was done.
///
/// # Errors
/// If the Indexer has no pods, cannot be changed, or its pods take too long.
pub async fn refresh(cluster: &Cluster, name: &str, wait: Option<Wait>) -> Result<String> {
    let seen = indexers::get(cluster, name).await?;
    let spec = &seen.indexer.spec;
    if spec.suspend || spec.replicas == 0 {
        bail!("{name} has no pods to refresh: it is suspended, or spec.replicas is 0");
    }
    let requested = Timestamp::now().to_string();
    let patch = json!({ "metadata": { "annotations": { names::REFRESH: requested } } });
    indexers::patch(cluster, name, &patch).await?;
    let done = format!("Requested a refresh of {name} in namespace {}", cluster.namespace);
    match wait {
        None => Ok(format!(
            "{done}: each pod makes a fresh instance before its next block.\n"
        )),
        Some(wait) => {
            let took = until_handled(cluster, name, &requested, wait).await?;
            Ok(format!(
                "{done}: every pod made a fresh instance within {}.\n",
                units::span(took.as_secs())
            ))
        }
    }
}

/// How long it took until every pod had acted on the request.
async fn until_handled(cluster: &Cluster, name: &str, requested: &str, wait: Wait) -> Result<Duration> {
    let began = Instant::now();
    loop {
        let seen = indexers::get(cluster, name).await?;
        if is_handled(&seen.indexer, requested) {
            return Ok(began.elapsed());
        }
        if began.elapsed() + wait.every > wait.timeout {
            bail!(
                "not every pod of {name} has made a fresh instance within {}; the request stays, \
                 and `kubectl shrewd why {name}` says what the pods wait for",
                units::span(wait.timeout.as_secs())
            );
        }
        sleep(wait.every).await;
    }
}

/// Whether the request has been carried out, or a later one that replaced it.
fn is_handled(indexer: &Indexer, requested: &str) -> bool {
    let handled = indexer
        .status
        .as_ref()
        .and_then(|status| status.last_handled_refresh_at.as_deref());
    let newest = names::refresh_requested(&indexer.metadata).unwrap_or(requested);
    handled.is_some_and(|handled| handled == requested || handled == newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_request_is_handled_when_it_or_a_later_one_is() {
        let mut indexer = fixtures::following();
        let mut set = |requested: &str, handled: &str| {
            indexer.metadata.annotations = Some([(names::REFRESH.to_owned(), requested.to_owned())].into());
            indexer.status.as_mut().unwrap().last_handled_refresh_at = Some(handled.to_owned());
            is_handled(&indexer, "2")
        };
        assert!(!set("2", "1"));
        assert!(set("2", "2"));
        assert!(set("3", "2"));
        assert!(set("3", "3"));
        assert!(!set("3", "1"));
    }
}
