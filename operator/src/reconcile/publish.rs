//! (I/O) The status of a resource: read before a pass, written after it, and the events that go with it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{IndexerStatus, OperatorStatus};
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

/// What a resource says before a pass.
pub(super) struct Known {
    /// The class of its operators.
    pub(super) class: Option<String>,
    /// Who looks after it.
    pub(super) operator: Option<OperatorStatus>,
    /// Its status.
    pub(super) status: Option<IndexerStatus>,
}

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
    let reported = context.history.reported(key, &uid).or_else(|| last.cloned());
    let written = write(watched, next, key, context).await?;
    context.history.note_reported(key, uid, written);
    publish(watched, transitions(reported.as_ref(), next), key, context).await;
    Ok(None)
}

/// Writes a status over the one that is known, and returns what is kept of it.
///
/// # Errors
/// If the call fails; with [`LookAgain`](apply::Class::LookAgain) if the resource changed meanwhile.
pub(super) async fn write(
    watched: &Watched,
    status: &IndexerStatus,
    key: &Key,
    context: &Context,
) -> Result<Arc<IndexerStatus>, Error> {
    let (uid, history) = (watched.uid().unwrap_or_default(), &context.history);
    let version = history.newest_version(key, &uid, watched.resource_version());
    let kept = Arc::new(status.clone());
    history.note_writing(key, Arc::clone(&kept));
    let written = apply::status(&context.client, key, &uid, version.as_deref(), status).await;
    if written
        .as_ref()
        .is_err_and(|error| error.class() == apply::Class::LookAgain)
    {
        // The version may be one that the server does not have any more, as after it was restored.
        history.distrust_version(key);
    }
    let version = written.map_err(Error::Status)?;
    context.metrics.status_written();
    history.note_written(key, &uid, version, Arc::clone(&kept));
    Ok(kept)
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
            // Nobody reads it there any more.
            Ok(Err(error)) if apply::is_for_ending_namespace(&error) => {
                tracing::debug!(indexer = %key, reason = event.reason, %error, "an event of a namespace that goes");
            }
            Ok(Err(error)) => {
                tracing::warn!(indexer = %key, reason = event.reason, %error, "could not publish an event");
            }
            Err(_) => tracing::warn!(indexer = %key, reason = event.reason, "publishing an event timed out"),
        }
    }
}

/// What a resource says. The caches keep nothing of one that they cannot read.
pub(super) async fn known(watched: &Watched, key: &Key, uid: &str, context: &Context) -> Result<Known, Error> {
    let version = watched.meta().resource_version.as_deref();
    match &watched.0 {
        Ok(indexer) => {
            let status = context.history.status(key, uid, version, indexer.status.clone());
            Ok(Known {
                class: indexer.spec.operator_class.clone(),
                operator: status.as_ref().and_then(|status| status.operator.clone()),
                status,
            })
        }
        Err(_) => {
            let read = apply::read(&context.client, key).await.map_err(Error::Status)?;
            Ok(Known {
                class: read.class,
                operator: read.operator,
                status: read.status,
            })
        }
    }
}
