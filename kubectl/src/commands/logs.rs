//! `logs --guest`: what the guests of the serving revision wrote.

use std::{io, pin::Pin};

use anyhow::{Result, bail};
use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::api::LogParams;

use crate::{
    bounded_lines::lines,
    cluster::Cluster,
    guest_log::{GuestLine, guest_line},
    indexers, names, pods,
    rights::Right,
    text,
};

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

/// What prints a line as soon as it is there.
pub type Print<'a> = &'a dyn Fn(&str) -> io::Result<()>;
/// A guest's line, and the pod it is of.
type Spoken = (GuestLine, String);

/// Prints lines of guests, oldest first. Returns whether there were any to begin with.
///
/// # Errors
/// If there are no pods, or their logs cannot be read.
pub async fn logs(cluster: &Cluster, name: &str, wanted: Wanted, print: Print<'_>) -> Result<bool> {
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
    let began = Timestamp::now();
    let mut lines = Vec::new();
    for pod in &pods {
        lines.extend(written(cluster, pod).await?);
    }
    let is_any = !lines.is_empty();
    let newest = lines
        .iter()
        .map(|(line, _)| line.time.clone())
        .max()
        .unwrap_or_default();
    let with_pod = pods.len() > 1;
    for (line, pod) in last(lines, wanted.tail) {
        print(&shown(&line, &pod, with_pod))?;
    }
    if wanted.follow {
        follow(cluster, &pods, began, &newest, print).await?;
    }
    Ok(is_any)
}

/// The last so many lines of all pods, oldest first.
fn last(mut lines: Vec<Spoken>, tail: usize) -> Vec<Spoken> {
    lines.sort();
    lines.split_off(lines.len().saturating_sub(tail))
}

/// A line as it is printed.
fn shown(line: &GuestLine, pod: &str, with_pod: bool) -> String {
    let mut parts = vec![text::plain(&line.time)];
    parts.extend(with_pod.then(|| pod.to_owned()));
    parts.extend(line.at.clone());
    parts.push(text::plain(&line.text));
    parts.join("   ") + "\n"
}

async fn written(cluster: &Cluster, pod: &str) -> Result<Vec<Spoken>> {
    let right = Right::within("get", "pods/log", &cluster.namespace);
    let params = LogParams {
        container: Some(names::CONTAINER.into()),
        limit_bytes: Some(LOOKED_THROUGH_BYTES),
        tail_lines: Some(LOOKED_THROUGH_LINES),
        ..LogParams::default()
    };
    let text = cluster.call(&right, pods::api(cluster).logs(pod, &params)).await?;
    Ok(text
        .lines()
        .filter_map(guest_line)
        .map(|line| (line, pod.to_owned()))
        .collect())
}

/// Prints lines that are written from a moment on, until the last pod ends. Those up to the newest one printed are left
/// out: a log can only be had from a whole second on.
async fn follow(cluster: &Cluster, pods: &[String], since: Timestamp, newest: &str, print: Print<'_>) -> Result<()> {
    let mut streams = Vec::new();
    for pod in pods {
        streams.push(spoken(cluster, pod, since).await?);
    }
    let mut spoken = stream::select_all(streams);
    while let Some((line, pod)) = spoken.next().await {
        if line.time.as_str() > newest {
            print(&shown(&line, &pod, pods.len() > 1))?;
        }
    }
    Ok(())
}

/// The lines that the guest of a pod writes.
async fn spoken(cluster: &Cluster, pod: &str, since: Timestamp) -> Result<Pin<Box<dyn Stream<Item = Spoken> + Send>>> {
    let right = Right::within("get", "pods/log", &cluster.namespace);
    let params = LogParams {
        container: Some(names::CONTAINER.into()),
        follow: true,
        since_time: Some(since),
        ..LogParams::default()
    };
    let log = cluster
        .call(&right, pods::api(cluster).log_stream(pod, &params))
        .await?;
    let pod = pod.to_owned();
    let spoken = lines(Box::pin(log)).filter_map(move |line| {
        let spoken = guest_line(&line).map(|line| (line, pod.clone()));
        std::future::ready(spoken)
    });
    Ok(spoken.boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(time: &str, pod: &str) -> Spoken {
        let line = GuestLine {
            time: time.into(),
            at: Some("block 7".into()),
            text: "a\u{1b}[2Jb".into(),
        };
        (line, pod.into())
    }

    #[test]
    fn the_last_lines_of_all_pods_are_in_the_order_of_time() {
        let lines = vec![spoken("3", "a"), spoken("1", "a"), spoken("2", "b")];
        let times: Vec<String> = last(lines.clone(), 2).into_iter().map(|(line, _)| line.time).collect();
        assert_eq!(times, ["2", "3"]);
        assert_eq!(last(lines, 9).len(), 3);
    }

    #[test]
    fn a_guests_words_do_not_steer_the_terminal() {
        let (line, pod) = spoken("3", "pod-0");
        assert_eq!(shown(&line, &pod, true), "3   pod-0   block 7   a\\u{1b}[2Jb\n");
        assert_eq!(shown(&line, &pod, false), "3   block 7   a\\u{1b}[2Jb\n");
    }
}
