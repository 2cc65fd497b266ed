//! `snapshot now`: a snapshot of the index as it is, whatever the schedule says.

use anyhow::{Result, bail};
use crds::{
    Indexer,
    conditions::{reasons, types},
};

use crate::{
    cluster::Cluster,
    indexers,
    requests::{SNAPSHOT, Wait},
    units, waiting,
};

/// Requests a snapshot, and waits until it is there if that is wanted. Returns what was done.
///
/// # Errors
/// If the Indexer publishes none, cannot be changed, or the snapshot takes too long.
pub async fn now(cluster: &Cluster, name: &str, wait: Option<Wait>) -> Result<String> {
    let seen = indexers::get(cluster, name).await?;
    if let Some(why) = refusal(&seen.indexer, name) {
        bail!(why);
    }
    let requested = SNAPSHOT.make(cluster, name).await?;
    let mut done = format!("Requested a snapshot of {name} in namespace {}", cluster.namespace);
    if is_halted(&seen.indexer) {
        done += ", which is halted, so it is of the blocks below the one that failed";
    }
    let Some(wait) = wait else {
        return Ok(format!(
            "{done}: what is new is uploaded, and `kubectl shrewd status {name}` shows how far it is.\n"
        ));
    };
    match SNAPSHOT.until_handled(cluster, name, &requested, wait).await? {
        Some((indexer, took)) => Ok(format!(
            "{done}.\n{} after {}.\n",
            newest(&indexer),
            units::span(took.as_secs())
        )),
        None => bail!(
            "the snapshot of {name} is not there after {}; the request stays, \
             and `kubectl shrewd why {name}` says what it waits for",
            units::span(wait.timeout.as_secs())
        ),
    }
}

/// Why nobody would carry a request out.
fn refusal(indexer: &Indexer, name: &str) -> Option<String> {
    let spec = &indexer.spec;
    if spec.snapshots.is_none() {
        return Some(format!(
            "{name} publishes no snapshots: declare in spec.snapshots where they are to be"
        ));
    }
    (spec.suspend || spec.replicas == 0)
        .then(|| format!("{name} has no pod that could publish one: it is suspended, or spec.replicas is 0"))
}

fn is_halted(indexer: &Indexer) -> bool {
    let ready = indexer
        .status
        .as_ref()
        .and_then(|status| waiting::condition(status, types::READY));
    ready.is_some_and(|ready| ready.reason == reasons::HALTED)
}

fn newest(indexer: &Indexer) -> String {
    let snapshots = indexer.status.as_ref().and_then(|status| status.snapshots.as_ref());
    match snapshots.and_then(|snapshots| snapshots.latest.as_ref()) {
        Some(latest) => format!("Height {} is at {}", latest.height, latest.url),
        None => "It is there".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn who_cannot_publish_is_told_why() {
        assert_eq!(refusal(&fixtures::following(), "one"), None);
        let mut undeclared = fixtures::following();
        undeclared.spec.snapshots = None;
        let why = refusal(&undeclared, "one").unwrap();
        assert!(why.contains("spec.snapshots"), "{why}");
        for change in [(|spec| spec.suspend = true) as fn(&mut crds::IndexerSpec), |spec| {
            spec.replicas = 0
        }] {
            let mut without_pods = fixtures::following();
            change(&mut without_pods.spec);
            let why = refusal(&without_pods, "one").unwrap();
            assert!(why.contains("no pod"), "{why}");
        }
    }

    #[test]
    fn a_halted_index_is_recognised() {
        assert!(is_halted(&fixtures::halted()));
        assert!(!is_halted(&fixtures::following()));
    }
}
