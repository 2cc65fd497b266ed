//! `refresh`: a fresh instance of the guest in every pod.

use anyhow::{Result, bail};

use crate::{
    cluster::Cluster,
    indexers,
    requests::{REFRESH, Wait},
    units,
};

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
    let requested = REFRESH.make(cluster, name).await?;
    let done = format!("Requested a refresh of {name} in namespace {}", cluster.namespace);
    let Some(wait) = wait else {
        return Ok(format!(
            "{done}: each pod makes a fresh instance before its next block.\n"
        ));
    };
    match REFRESH.until_handled(cluster, name, &requested, wait).await? {
        Some((_, took)) => Ok(format!(
            "{done}: every pod made a fresh instance within {}.\n",
            units::span(took.as_secs())
        )),
        None => bail!(
            "not every pod of {name} has made a fresh instance within {}; the request stays, \
             and `kubectl shrewd why {name}` says what the pods wait for",
            units::span(wait.timeout.as_secs())
        ),
    }
}
