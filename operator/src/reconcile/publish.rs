//! (I/O) The status of a resource: read before a pass, written after it, and the events that go with it.

use std::time::{Duration, Instant};

use crds::IndexerStatus;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Resource, ResourceExt,
    runtime::events::{Event, Recorder},
};

use super::{context::Context, error::Error, notices::Notice, pace::Subject, watched::Watched};
use crate::{
    apply,
    objects::{CALL_TIMEOUT, Key},
    status,
    transitions::transitions,
};

/// Writes the status if it differs in substance and there is room for a write, and publishes events about conditions that
/// changed. Returns how long to wait if there is no room.
pub(super) async fn write_status(
    watched: &Watched,
    last: Option<&IndexerStatus>,
    next: &IndexerStatus,
    key: &Key,
    context: &Context,
) -> Result<Option<Duration>, Error> {
    if last.is_some_and(|last| !status::differs(last, next)) {
        return Ok(None);
    }
    if let Err(wait) = context.ledger.pace.take(key, Subject::of(next), Instant::now()) {
        return Ok(Some(wait));
    }
    let uid = watched.uid().unwrap_or_default();
    // Compared with what this process wrote, not with what somebody changed: no event is published twice.
    let reported = context.history.written(key, &uid).or_else(|| last.cloned());
    context.history.note_writing(key, next.clone());
    let written = apply::status(&context.client, key, &uid, next).await;
    let version = written.map_err(Error::Status)?;
    context.metrics.status_written();
    context.history.note_written(key, &uid, version, next.clone());
    publish(watched, transitions(reported.as_ref(), next), key, context).await;
    Ok(None)
}

/// Tells of what holds now and was not told of before.
pub(super) async fn tell(watched: &Watched, notices: &[Notice], context: &Context) {
    let key = Key::of(watched.meta());
    let mut events = context.ledger.notices.news(&key, notices);
    for event in &mut events {
        // What an Indexer is about is in its own namespace.
        if let Some(about) = &mut event.secondary {
            about.namespace = Some(key.namespace.clone());
        }
    }
    publish(watched, events, &key, context).await;
}

async fn publish(watched: &Watched, events: Vec<Event>, key: &Key, context: &Context) {
    let regarding: ObjectReference = watched.object_ref(&());
    for event in events {
        let new = || Recorder::new(context.client.clone(), context.reporter.clone());
        let recorder = context.ledger.recorders.of(key, &event, Instant::now(), new);
        // The condition is the truth; an event is a courtesy, so a lost one fails nothing.
        match tokio::time::timeout(CALL_TIMEOUT, recorder.publish(&event, &regarding)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(indexer = %key, reason = event.reason, %error, "could not publish an event");
            }
            Err(_) => tracing::warn!(indexer = %key, reason = event.reason, "publishing an event timed out"),
        }
    }
}

/// The status as it is. The caches keep none for a resource they cannot read.
pub(super) async fn last_status(
    watched: &Watched,
    key: &Key,
    uid: &str,
    context: &Context,
) -> Result<Option<IndexerStatus>, Error> {
    let version = watched.meta().resource_version.as_deref();
    match &watched.0 {
        Ok(indexer) => Ok(context.history.status(key, uid, version, indexer.status.clone())),
        Err(_) => apply::read_status(&context.client, key).await.map_err(Error::Status),
    }
}
