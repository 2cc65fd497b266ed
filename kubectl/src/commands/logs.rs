//! `logs --guest`: what the guests of the serving revision wrote.

mod follow;
mod printed;
mod spoken;

use std::time::Instant;

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use printed::Printed;
use spoken::{Source, Spoken, last, left_out, shown};

use crate::{
    cluster::Cluster,
    failure::Failure,
    guest_log::{GuestLine, guest_line},
    indexers, names, pods,
    rights::Right,
};
pub use spoken::Outlets;

/// Lines at the end of a pod's log that are looked through: some hours of an index that follows.
pub const LOOKED_THROUGH_LINES: i64 = 20_000;
/// More than they usually take, so that the bound does not cut the newest ones.
const LOOKED_THROUGH_BYTES: i64 = 64 << 20;

/// Which lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// So many of the last ones.
    pub tail: usize,
    /// Whether new ones are shown until the pods end.
    pub follow: bool,
}

/// Prints lines of guests, oldest first. Returns whether there were any to begin with.
///
/// # Errors
/// If there are no pods, no log of theirs can be read, or one breaks off while it is followed.
pub async fn logs(cluster: &Cluster, name: &str, wanted: Wanted, outlets: Outlets<'_>) -> Result<bool> {
    let indexer = indexers::get(cluster, name).await?.indexer;
    let revision = pods::active(&indexer)?;
    let pods: Vec<String> = pods::of_revision(cluster, name, revision)
        .await?
        .into_iter()
        .filter_map(|pod: Pod| pod.metadata.name)
        .collect();
    if pods.is_empty() {
        bail!("{name} has no pods; `kubectl shrewd why {name}` says why");
    }
    let (began, with_pod) = (Instant::now(), pods.len() > 1);
    let (sources, lines) = read(cluster, pods, outlets).await?;
    let is_any = !lines.is_empty();
    for (line, pod) in last(lines, wanted.tail) {
        if (outlets.print)(&shown(&line, &pod, with_pod))?.is_break() {
            return Ok(is_any);
        }
    }
    if wanted.follow {
        follow::follow(cluster, sources, began, with_pod, outlets).await?;
    }
    Ok(is_any)
}

/// The lines that are there. Pods that have no log are named: one that is waiting to start does not hide the others.
async fn read(
    cluster: &Cluster,
    pods: Vec<String>,
    outlets: Outlets<'_>,
) -> Result<(Vec<Source>, Vec<Spoken>), Failure> {
    let (mut sources, mut lines, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for pod in pods {
        let printed = match written(cluster, &pod).await {
            Ok(written) => {
                let printed = Printed::of(&written);
                lines.extend(written.into_iter().map(|line| (line, pod.clone())));
                Some(printed)
            }
            Err(failure) => {
                failed.push((pod.clone(), failure));
                None
            }
        };
        sources.push(Source { pod, printed });
    }
    if failed.len() < sources.len() {
        failed
            .iter()
            .for_each(|(pod, failure)| (outlets.note)(&left_out(pod, failure)));
        return Ok((sources, lines));
    }
    match failed.into_iter().next() {
        Some((_, failure)) => Err(failure),
        None => Ok((sources, lines)),
    }
}

async fn written(cluster: &Cluster, pod: &str) -> Result<Vec<GuestLine>, Failure> {
    let right = Right::within("get", "pods/log", &cluster.namespace);
    let params = LogParams {
        container: Some(names::CONTAINER.into()),
        limit_bytes: Some(LOOKED_THROUGH_BYTES),
        tail_lines: Some(LOOKED_THROUGH_LINES),
        ..LogParams::default()
    };
    let text = cluster.call(&right, pods::api(cluster).logs(pod, &params)).await?;
    Ok(text.lines().filter_map(guest_line).collect())
}
