//! Lines of guests as they are written.

use std::{io, pin::Pin, time::Instant};

use anyhow::{Error, Result};
use futures::{Stream, StreamExt as _, stream};
use kube::api::LogParams;

use super::spoken::{Outlets, Source, Spoken, left_out, shown};
use crate::{
    bounded_lines::lines, cluster::Cluster, failure::Failure, guest_log::guest_line, names, pods, rights::Right,
};

/// Longer than a read and its clocks are off by, so that no line is lost between the first read and this one: those that
/// come twice are known.
const OVERLAP_SECONDS: u64 = 5;

/// Lines of a pod, until it ends or its connection fails.
type Lines = Pin<Box<dyn Stream<Item = Result<Spoken>> + Send>>;

/// Prints lines that are written after a moment, until the last pod ends or nobody reads on.
pub(super) async fn follow(
    cluster: &Cluster,
    sources: Vec<Source>,
    since: Instant,
    with_pod: bool,
    outlets: Outlets<'_>,
) -> Result<()> {
    let (mut streams, mut failed) = (Vec::new(), None);
    for source in sources {
        let (pod, was_read) = (source.pod.clone(), source.printed.is_some());
        match spoken(cluster, source, since).await {
            Ok(lines) => streams.push(lines),
            Err(failure) => {
                // What could not be read before has been said.
                if was_read {
                    (outlets.note)(&left_out(&pod, &failure));
                }
                failed = failed.or(Some(failure));
            }
        }
    }
    if let (true, Some(failure)) = (streams.is_empty(), failed) {
        return Err(failure.into());
    }
    let mut spoken = stream::select_all(streams);
    while let Some((line, pod)) = spoken.next().await.transpose()? {
        if (outlets.print)(&shown(&line, &pod, with_pod))?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The lines that the guest of a pod writes, without those that were read before.
async fn spoken(cluster: &Cluster, source: Source, since: Instant) -> Result<Lines, Failure> {
    let Source { pod, printed } = source;
    let mut printed = printed.unwrap_or_default();
    let right = Right::within("get", "pods/log", &cluster.namespace);
    // Seconds ago, by the clock of the node, which may not be that of this machine.
    let ago = since.elapsed().as_secs().saturating_add(OVERLAP_SECONDS);
    let params = LogParams {
        container: Some(names::CONTAINER.into()),
        follow: true,
        since_seconds: Some(i64::try_from(ago).unwrap_or(i64::MAX)),
        ..LogParams::default()
    };
    let log = cluster
        .call(&right, pods::api(cluster).log_stream(&pod, &params))
        .await?;
    let spoken = lines(Box::pin(log)).filter_map(move |read| {
        let line = match read {
            Ok(line) => guest_line(&line).filter(|line| printed.is_new(line)).map(Ok),
            Err(error) => Some(Err(broke_off(error, &pod))),
        };
        std::future::ready(line.map(|line| line.map(|line| (line, pod.clone()))))
    });
    Ok(spoken.boxed())
}

fn broke_off(error: io::Error, pod: &str) -> Error {
    Error::new(error).context(format!(
        "the log of pod {pod} broke off before its end; run the command again"
    ))
}
