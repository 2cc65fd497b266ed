//! One pass over one Indexer, step by step, and what happens when a step fails.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{MAX_BEHIND, conditions::reasons};
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, core::ObjectMeta, runtime::controller::Action};

mod carried;
mod carry_out;
mod comparisons;
mod contained;
mod context;
mod error;
mod evictions;
mod grown;
mod history;
mod holding;
mod holdings;
mod inquire;
mod ledger;
mod notices;
mod pace;
mod pauses;
mod peaks;
mod progress;
mod publish;
mod raising;
mod recorders;
mod requesting;
mod requests;
mod resizes;
mod resizing;
mod staleness;
mod turns;
mod volumes;
mod watched;

pub use context::Context;
pub use error::Error;
pub use history::History;
pub use ledger::Ledger;
pub use pauses::Pauses;
pub use watched::Watched;

use crate::{
    apply::{self, Class},
    memory::Memories,
    names,
    objects::Key,
    observe::observe,
    status::{self, Applied, Failure, Inputs},
    validate::{Invalid, ValidIndexer, requested, validate},
};
use carried::Carried;
use carry_out::carry_out;
use contained::contained;
use holding::hold;
use inquire::{Decided, decide};
use notices::{defect, notices};
use publish::{known, tell, write_status};

/// The minimum delay of a pass that is only due by time. A pass that is exactly on time may find the deadline a moment
/// away.
const AGAIN_MIN: Duration = Duration::from_millis(200);
/// A call refused for good is retried after this long: a webhook or a conflicting object may have been fixed without a
/// change that is watched.
const REFUSED_AGAIN: Duration = Duration::from_mins(5);

/// One pass, measured.
///
/// # Errors
/// If a step failed.
pub async fn reconcile(watched: Arc<Watched>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let key = Key::of(watched.meta());
    let _running = context.metrics.begins(&key);
    let done = contained(pass(&watched, &context)).await;
    if let Err(Error::Panicked(words)) = &done {
        tell(&watched, &[defect(words)], &context).await;
    }
    match &done {
        Err(error) if error.class() == Class::LookAgain && context.ledger.staleness.note(&key) => {
            context.metrics.looked_again();
        }
        Err(error) => {
            // Nothing is left to do for one that is gone, so nobody need be woken.
            let is_gone = error.class() == Class::Gone;
            context.metrics.reconciled(started.elapsed(), is_gone);
            context.metrics.step_failed(error.step(), error.class().word());
        }
        Ok(_) => {
            context.metrics.reconciled(started.elapsed(), true);
            context.history.note_success(&key);
            context.ledger.staleness.forget(&key);
        }
    }
    done
}

/// When to retry a failed pass.
#[must_use]
#[allow(clippy::needless_pass_by_value)] // the controller's signature
pub fn error_policy(watched: Arc<Watched>, error: &Error, context: Arc<Context>) -> Action {
    let key = Key::of(watched.meta());
    match error.class() {
        Class::LookAgain if context.ledger.staleness.is_passing(&key) => Action::requeue(context.pauses.stale),
        Class::LookAgain | Class::RetryLater => {
            Action::requeue(context.history.note_failure(&key, context.pauses.failed))
        }
        Class::AwaitChange => Action::requeue(REFUSED_AGAIN),
        Class::Gone => Action::await_change(),
    }
}

/// The steps.
async fn pass(watched: &Watched, context: &Context) -> Result<Action, Error> {
    let meta = watched.meta();
    if meta.deletion_timestamp.is_some() {
        // Kubernetes deletes the owned objects; applying them now would only interfere.
        return Ok(Action::await_change());
    }
    let key = Key::of(meta);
    context.listed.wait().await.map_err(Error::Observe)?; // [I/O]
    let uid = meta.uid.clone().unwrap_or_default();
    let max_behind = watched
        .0
        .as_ref()
        .map_or(MAX_BEHIND, |indexer| indexer.spec.rollout.max_behind);
    let known = known(watched, &key, &uid, context).await?; // [I/O] only for a resource that cannot be read
    let Some(last) = hold(watched, known, &key, context).await? else {
        // Another operator looks after it; the watch brings the change that makes it ours.
        return Ok(Action::await_change());
    };
    let last = Some(last);
    let (stores, sampler, pods) = (&context.stores, &context.sampler, &context.pods);
    let observed = observe(stores, sampler, pods, &key, &uid, max_behind, last.as_ref()).await; // [I/O]
    let outcome = judged(watched, context); // [pure]
    log_unfit_requests(meta, &key, context);
    let decided = match &outcome {
        Ok(valid) => Some(decide(valid, &observed, last.as_ref(), &key, context).await), // [I/O] where it must ask
        Err(_) => None,
    };
    let carried = match (&outcome, &decided) {
        (Ok(valid), Some(decided)) => {
            carry_out(valid, decided, &observed, last.as_ref(), meta, context).await // [I/O]
        }
        _ => Ok(Carried::default()),
    };
    if let Err(error) = &carried
        && error.class() == Class::LookAgain
        && context.ledger.staleness.is_passing(&key)
    {
        // Nothing failed, so there is nothing to show: the next pass is due at once.
        return carried.map(|_| Action::await_change()).map_err(Error::Apply);
    }
    let declared = Memories::default();
    let inputs = Inputs {
        namespace: &key.namespace,
        name: &key.name,
        generation: meta.generation.unwrap_or_default(),
        outcome: outcome.as_ref(),
        observed: &observed,
        decision: decided.as_ref().map(|decided| &decided.decision),
        comparison: decided.as_ref().and_then(|decided| decided.comparison.as_ref()),
        recommendation: decided.as_ref().and_then(Decided::recommendation),
        memories: decided.as_ref().map_or(&declared, |decided| &decided.memories),
        applied: &Applied {
            refusals: context.ledger.raising.refusals(&key),
            resize_refusals: context.ledger.resizing.refusals(&key),
            ..applied_as(&carried)
        },
        last_status: last.as_ref(),
        now: Timestamp::now(),
    };
    let next = status::status(&inputs); // [pure]
    context.metrics.shows(&key, &next.conditions);
    let write_again = write_status(watched, last.as_ref(), &next, &key, context).await?; // [I/O]
    tell(watched, &notices(&observed, carried.as_ref().ok()), context).await; // [I/O]
    let carried_again = carried.map_err(Error::Apply)?.again_after;
    let rollout_again = decided.and_then(|decided| decided.decision.again_after);
    let again = [write_again, carried_again, rollout_again].into_iter().flatten().min();
    Ok(again.map_or_else(Action::await_change, |after| Action::requeue(after.max(AGAIN_MIN))))
}

/// What the resource declares, or everything that is wrong with it.
fn judged(watched: &Watched, context: &Context) -> Result<ValidIndexer, Invalid> {
    match &watched.0 {
        Ok(indexer) => validate(indexer, &context.defaults),
        Err(broken) => Err(Invalid {
            reason: reasons::INVALID_SPEC,
            problems: vec![broken.error.clone()],
        }),
    }
}

/// Logs, once each, an annotation that requests something with a value that pods do not take.
fn log_unfit_requests(meta: &ObjectMeta, key: &Key, context: &Context) {
    let problem = [names::ANNOTATION_REFRESH, names::ANNOTATION_SNAPSHOT]
        .into_iter()
        .find_map(|annotation| requested(meta, annotation).err())
        .map(|error| error.to_string());
    if context.history.note_request_problem(key, problem.as_deref()) {
        tracing::warn!(indexer = %key, problem, "a request cannot be forwarded");
    }
}

/// How applying went, as the status shows it.
fn applied_as(carried: &Result<Carried, apply::Error>) -> Applied {
    match carried {
        Ok(Carried { done, held_back, .. }) => Applied {
            failure: None,
            changed: done.changed,
            sets_changed: done.sets_changed.clone(),
            held_back: held_back.as_ref().map(|held| held.words.clone()),
            ..Applied::default()
        },
        Err(error) => Applied {
            failure: Some(Failure {
                revision: error.revision().cloned(),
                message: error.explanation(),
                needs_change: error.class() == Class::AwaitChange,
            }),
            ..Applied::default()
        },
    }
}

#[cfg(test)]
mod tests;
