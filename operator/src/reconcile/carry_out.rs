//! (I/O) Carrying out a decision: objects, labels of pods, replacements, requests to refresh.

use std::time::Instant;

use crds::IndexerStatus;
use kube::core::ObjectMeta;

use super::{context::Context, evictions::HeldBack, inquire::Decided};
use crate::{
    apply::{self, Done},
    facts::{Consistency, Observed, ObservedPod},
    objects::Key,
    plan::plan,
    refresh,
    rollout::{Step, next_replacement},
    validate::ValidIndexer,
};

/// What carrying out a decision came to.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) done: Done,
    /// The pod that is to go next and is held back.
    pub(super) held_back: Option<HeldBack>,
}

/// Plans and applies. Whatever changes something that exists is decided on what the API server has at this moment.
///
/// # Errors
/// The first call that fails, with [`apply::Class::LookAgain`] if what was decided on has changed.
pub(super) async fn carry_out(
    valid: &ValidIndexer,
    decided: &Decided,
    observed: &Observed,
    last_status: Option<&IndexerStatus>,
    decided_on: &ObjectMeta,
    context: &Context,
) -> Result<Carried, apply::Error> {
    let (key, decision) = (&Key::of(decided_on), &decided.decision);
    let mut carried = Carried::default();
    if !observed.leftovers.is_empty() {
        // Kubernetes is deleting them, and each one that goes wakes another pass. The pods may be theirs.
        return Ok(carried);
    }
    let plan = plan(valid, decision); // [pure]
    let changes = apply::changes(&plan, observed); // [pure]
    let misplaced = misplaced(observed);
    let outdated = next_replacement(valid, decision, observed); // [pure]
    if changes.touch_what_exists(observed) || !misplaced.is_empty() || outdated.is_some() {
        apply::confirm(&context.client, key, decided_on, observed).await?; // [I/O]
    }
    carried.done = apply::apply(&context.client, key, &changes, observed).await?; // [I/O]
    if decision.step == Step::Switching {
        context
            .history
            .note_moved(key, decided.served.clone(), decision.served());
    }
    for (pod, serves) in misplaced {
        apply::let_serve(&context.client, key, pod, serves).await?; // [I/O]
        tracing::warn!(indexer = %key, pod = pod.name, serves, "moved a pod in or out of the Service by its digest");
        carried.done.changed = true;
    }
    match outdated {
        Some(pod) => replace(pod, key, context, &mut carried).await?,
        None => context.ledger.evictions.forget(key),
    }
    if let Some(request) = refresh::pending(valid, last_status) {
        for target in refresh::targets(&decision.serving, observed, request) {
            if let Err(why) = context.pods.request_refresh(target, request).await {
                tracing::warn!(indexer = %key, pod = target.pod, why, "could not ask for a refresh; will ask again");
            }
        }
    }
    Ok(carried)
}

/// Takes a pod with an outdated template away, if it may go now.
async fn replace(pod: &ObservedPod, key: &Key, context: &Context, carried: &mut Carried) -> Result<(), apply::Error> {
    let removal = apply::remove(&context.client, key, pod).await?; // [I/O]
    carried.held_back = context.ledger.evictions.note(key, pod, removal, Instant::now());
    match &carried.held_back {
        None => {
            tracing::info!(indexer = %key, pod = pod.name, "replaced a pod with an outdated template");
            carried.done.changed = true;
        }
        Some(held) => tracing::debug!(indexer = %key, pod = pod.name, why = held.words, "a pod is held back"),
    }
    Ok(())
}

/// Pods that are in the Service and must not be, or the other way round. Where digests cannot be compared, nothing moves.
fn misplaced(observed: &Observed) -> Vec<(&ObservedPod, bool)> {
    let serves = |pod: &ObservedPod| match observed.consistency.get(&pod.revision)? {
        Consistency::Equal => Some(true),
        Consistency::Differ(difference) => Some(!difference.outvoted().contains(&pod.name)),
    };
    let pods = observed.pods.iter().filter(|pod| !pod.terminating);
    pods.filter_map(|pod| Some((pod, serves(pod)?)))
        .filter(|(pod, serves)| pod.kept_out == *serves)
        .collect()
}
