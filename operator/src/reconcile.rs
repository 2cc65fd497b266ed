//! One pass over one Indexer, step by step, and what happens when a step fails.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{Indexer, IndexerStatus, conditions::reasons};
use k8s_openapi::{api::core::v1::ObjectReference, jiff::Timestamp};
use kube::{
    Client, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{controller::Action, events::Recorder},
};

mod decide;
mod history;

use decide::decide;
pub use history::History;

use crate::{
    apply::{self, CALL_TIMEOUT, Class, Done},
    metrics::Metrics,
    observe::{Consistency, Observed, ObservedPod, Stores, observe},
    plan::plan,
    refresh,
    rollout::{Rollout, Step, next_replacement},
    sampler::{Key, Sampler},
    status::{self, Applied, Failure, Inputs},
    transitions::transitions,
    validate::{Defaults, Invalid, ValidIndexer, validate},
};

/// An Indexer as it is watched: one that cannot be read must not stop the others.
pub type Watched = DeserializeGuard<Indexer>;

/// A request to refresh is repeated this often until every pod has echoed it.
const REFRESH_AGAIN: Duration = Duration::from_secs(5);
/// The shortest pause until a pass that nothing but time calls for. A deadline that is met to the millisecond may be found
/// a moment too early.
const AGAIN_MIN: Duration = Duration::from_millis(200);
/// A call refused for good is made again after this long: a webhook or an object in the way may have been mended
/// without a change that is watched.
const REFUSED_AGAIN: Duration = Duration::from_mins(5);

/// What passes share.
pub struct Context {
    /// Writes to the API server.
    pub client: Client,
    /// Reads from it.
    pub stores: Stores,
    /// Reads from pods.
    pub sampler: Arc<Sampler>,
    /// Publishes events.
    pub recorder: Recorder,
    /// Counts.
    pub metrics: Metrics,
    /// What holds for every Indexer.
    pub defaults: Defaults,
    /// What earlier passes left.
    pub history: History,
}

/// A failed pass. The status has been written before, unless that is what failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caches are closed: the process ends.
    #[error("read the watch caches")]
    Observe(#[source] kube::runtime::reflector::store::WriterDropped),
    /// An object could not be written.
    #[error("apply the plan")]
    Apply(#[source] apply::Error),
    /// The status could not be read or written.
    #[error("update the status")]
    Status(#[source] apply::Error),
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Observe(_) => Class::RetryLater,
            Self::Apply(error) | Self::Status(error) => error.class(),
        }
    }

    fn step(&self) -> &'static str {
        match self {
            Self::Observe(_) => "observe",
            Self::Apply(_) => "apply",
            Self::Status(_) => "status",
        }
    }
}

/// One pass, measured.
///
/// # Errors
/// If a step failed.
pub async fn reconcile(watched: Arc<Watched>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let done = pass(&watched, &context).await;
    context.metrics.reconciled(started.elapsed(), done.is_ok());
    match &done {
        Ok(_) => context.history.note_success(&key(watched.meta())),
        Err(error) => context.metrics.step_failed(error.step()),
    }
    done
}

/// When to try a failed pass again.
#[must_use]
#[allow(clippy::needless_pass_by_value)] // the controller's signature
pub fn error_policy(watched: Arc<Watched>, error: &Error, context: Arc<Context>) -> Action {
    match error.class() {
        Class::RetryLater => Action::requeue(context.history.note_failure(&key(watched.meta()))),
        Class::AwaitChange => Action::requeue(REFUSED_AGAIN),
        Class::Gone => Action::await_change(),
    }
}

/// The steps.
async fn pass(watched: &Watched, context: &Context) -> Result<Action, Error> {
    let meta = watched.meta();
    if meta.deletion_timestamp.is_some() {
        // Kubernetes deletes what carries an owner reference; applying now would only fight it.
        return Ok(Action::await_change());
    }
    let key = key(meta);
    context.stores.wait_until_ready().await.map_err(Error::Observe)?; // [I/O]
    let uid = meta.uid.clone().unwrap_or_default();
    let mut observed = observe(&context.stores, &context.sampler, &key, &uid).await; // [I/O]
    let previous = previous(watched, &key, &uid, context).await?; // [I/O] only for a resource that cannot be read
    let outcome = match &watched.0 {
        Ok(indexer) => validate(indexer, &context.defaults), // [pure]
        Err(broken) => Err(Invalid {
            reason: reasons::INVALID_SPEC,
            problems: vec![broken.error.clone()],
        }),
    };
    let complaint = refresh::requested(meta).err().map(|error| error.to_string());
    if context.history.note_complaint(&key, complaint.as_deref()) {
        tracing::warn!(indexer = %key, complaint, "a request to refresh cannot be passed on");
    }
    let decided = match &outcome {
        Ok(valid) => Some(decide(valid, &mut observed, previous.as_ref(), &key, context).await), // [I/O] where it must ask
        Err(_) => None,
    };
    let applied = match (&outcome, &decided) {
        (Ok(valid), Some(decided)) => {
            carry_out(valid, &decided.rollout, &observed, previous.as_ref(), &key, context).await // [I/O]
        }
        _ => Ok(Done::default()),
    };
    let inputs = Inputs {
        namespace: &key.namespace,
        name: &key.name,
        generation: meta.generation.unwrap_or_default(),
        outcome: outcome.as_ref(),
        observed: &observed,
        rollout: decided.as_ref().map(|decided| &decided.rollout),
        comparison: decided.as_ref().and_then(|decided| decided.comparison.as_ref()),
        applied: &told(&applied),
        previous: previous.as_ref(),
        now: Timestamp::now(),
    };
    let next = status::status(&inputs); // [pure]
    write(watched, previous.as_ref(), &next, &key, context).await?; // [I/O]
    applied.map_err(Error::Apply)?;
    let is_pending = outcome.is_ok_and(|valid| refresh::pending(&valid, Some(&next)).is_some() && valid.replicas > 0);
    let refresh_again = is_pending.then_some(REFRESH_AGAIN);
    let rollout_again = decided.and_then(|decided| decided.rollout.again_after);
    let again = refresh_again.into_iter().chain(rollout_again).min();
    Ok(again.map_or_else(Action::await_change, |after| Action::requeue(after.max(AGAIN_MIN))))
}

/// Plans and applies.
async fn carry_out(
    valid: &ValidIndexer,
    rollout: &Rollout,
    observed: &Observed,
    previous: Option<&IndexerStatus>,
    key: &Key,
    context: &Context,
) -> Result<Done, apply::Error> {
    if observed.has_leftovers {
        // Kubernetes is deleting them, and each one that goes wakes another pass. The pods may be theirs.
        return Ok(Done {
            changed: true,
            sets_changed: vec![rollout.serving.clone()],
        });
    }
    let plan = plan(valid, rollout); // [pure]
    let mut done = apply::apply(&context.client, key, &plan, observed).await?; // [I/O]
    if rollout.step == Step::Switching {
        context
            .history
            .note_moved(key, observed.served.clone(), rollout.served());
    }
    for (pod, serves) in misplaced(observed) {
        apply::let_serve(&context.client, key, pod, serves).await?; // [I/O]
        tracing::warn!(indexer = %key, pod = pod.name, serves, "moved a pod in or out of the Service by its digest");
        done.changed = true;
    }
    if let Some(pod) = next_replacement(valid, rollout, observed) {
        apply::replace(&context.client, key, pod).await?; // [I/O]
        tracing::info!(indexer = %key, pod = pod.name, "replaced a pod with an outdated template");
        done.changed = true;
    }
    if let Some(request) = refresh::pending(valid, previous) {
        for target in refresh::targets(&rollout.serving, observed, request) {
            if let Err(why) = context.sampler.request_refresh(target, request).await {
                tracing::warn!(indexer = %key, pod = target.pod, why, "could not ask for a refresh; will ask again");
            }
        }
    }
    Ok(done)
}

/// Pods that are in the Service and must not be, or the other way round. Where digests cannot be compared, nothing moves.
fn misplaced(observed: &Observed) -> Vec<(&ObservedPod, bool)> {
    let verdict = |pod: &ObservedPod| match observed.consistency.get(&pod.revision)? {
        Consistency::Equal => Some(true),
        Consistency::Differ(difference) => Some(!difference.outvoted().contains(&pod.name)),
    };
    let pods = observed.pods.iter().filter(|pod| !pod.terminating);
    pods.filter_map(|pod| Some((pod, verdict(pod)?)))
        .filter(|(pod, serves)| pod.kept_out == *serves)
        .collect()
}

/// Writes the status if it differs in substance, and tells of conditions that turned.
async fn write(
    watched: &Watched,
    previous: Option<&IndexerStatus>,
    next: &IndexerStatus,
    key: &Key,
    context: &Context,
) -> Result<(), Error> {
    if previous.is_some_and(|previous| !status::differs(previous, next)) {
        return Ok(());
    }
    let uid = watched.uid().unwrap_or_default();
    let written = apply::status(&context.client, key, &uid, next).await;
    written.map_err(Error::Status)?;
    context.metrics.status_written();
    context.history.note_written(key, &uid, next.clone());
    let regarding: ObjectReference = watched.object_ref(&());
    for event in transitions(previous, next) {
        // The condition is the truth; an event is a courtesy, so a lost one fails nothing.
        match tokio::time::timeout(CALL_TIMEOUT, context.recorder.publish(&event, &regarding)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(indexer = %key, reason = event.reason, %error, "could not publish an event");
            }
            Err(_) => tracing::warn!(indexer = %key, reason = event.reason, "no answer to an event"),
        }
    }
    Ok(())
}

/// The status as it is. The caches keep none for a resource they cannot read.
async fn previous(watched: &Watched, key: &Key, uid: &str, context: &Context) -> Result<Option<IndexerStatus>, Error> {
    if let Some(written) = context.history.written(key, uid) {
        return Ok(Some(written));
    }
    match &watched.0 {
        Ok(indexer) => Ok(indexer.status.clone()),
        Err(_) => apply::read_status(&context.client, key).await.map_err(Error::Status),
    }
}

fn told(applied: &Result<Done, apply::Error>) -> Applied {
    match applied {
        Ok(done) => Applied {
            failure: None,
            changed: done.changed,
            sets_changed: done.sets_changed.clone(),
        },
        Err(error) => Applied {
            failure: Some(Failure {
                revision: error.revision().cloned(),
                message: error.told(),
                needs_change: error.class() == Class::AwaitChange,
            }),
            ..Applied::default()
        },
    }
}

fn key(meta: &kube::core::ObjectMeta) -> Key {
    Key {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
