//! (I/O) Carrying out a decision: objects, labels of pods, replacements, requests to pods.

use std::time::Instant;

use crds::IndexerStatus;
use k8s_openapi::{
    Resource,
    api::core::v1::{PersistentVolumeClaim, Pod},
};
use kube::core::ObjectMeta;

use super::{carried::Carried, context::Context, inquire::Decided, requesting::pass_on, resizes, volumes};
use crate::{
    apply,
    facts::{Consistency, Observed, ObservedPod},
    memory::{self, unfit},
    metrics::Purpose,
    objects::Key,
    plan::plan,
    rollout::{Decision, Step, next_replacement, stamps},
    storage::Sizes,
    validate::ValidIndexer,
};

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
    // Leftovers: Kubernetes is deleting them, and each one that goes wakes another pass. The pods may be theirs.
    if !observed.leftovers.is_empty() || matches!(decision.step, Step::Lost(_)) {
        return Ok(carried);
    }
    let sizes = Sizes::of(valid, decision, observed); // [pure]
    let volumes = volumes::due(valid, decision, &sizes, observed, key, context);
    let plan = plan(valid, decision, &sizes, &decided.memories); // [pure]
    let mut changes = apply::changes(&plan, observed); // [pure]
    let misplaced = misplaced(observed);
    let wanted = memory::resizes(valid, decision, &decided.memories, observed); // [pure]
    let due = context.ledger.resizing.due(key, wanted, Instant::now());
    let refusals = context.ledger.resizing.refusals(key);
    let outdated = next_replacement(valid, decision, observed, &unfit(valid, observed, &refusals)); // [pure]
    let is_safe = !changes.touch_what_exists(observed)
        && volumes.is_empty()
        && misplaced.is_empty()
        && due.is_empty()
        && outdated.is_none();
    if !is_safe {
        apply::confirm(&context.client, key, &context.operator, decided_on, observed).await?; // [I/O]
    }
    // Before anything else, so that claims never say less than what was done to their data.
    let stamped = stamp(valid, decision, observed, key, context).await; // [I/O]
    if stamped
        .as_ref()
        .is_err_and(|error| error.class() == apply::Class::LookAgain)
    {
        return stamped.map(|_| carried);
    }
    let mut raised = false;
    let is_stamped = matches!(stamped, Ok(true));
    if is_stamped {
        // Claims are not what was decided on any more; the watch of them calls for another pass.
        changes.release.clear();
    } else {
        (raised, carried.grown) = volumes.carry_out(valid, observed, key, context).await?; // [I/O]
    }
    carried.done = apply::apply(&context.client, key, &changes, observed, &context.metrics).await?; // [I/O]
    carried.done.changed |= raised || is_stamped;
    // After the template, which says what a pod gets that is recreated.
    carried.done.changed |= resizes::carry_out(&due, key, context).await?; // [I/O]
    if decision.step == Step::Switching {
        context
            .history
            .note_moved(key, decided.served.clone(), decision.served());
    }
    for (pod, serves) in misplaced {
        apply::let_serve(&context.client, key, pod, serves).await?; // [I/O]
        context.metrics.changed(Pod::KIND, Purpose::Place);
        tracing::warn!(indexer = %key, pod = pod.name, serves, "moved a pod in or out of the Service by its digest");
        carried.done.changed = true;
    }
    match outdated {
        Some(pod) => replace(pod, key, context, &mut carried).await?,
        None => context.ledger.evictions.forget(key),
    }
    pass_on(valid, decision, observed, last_status, key, context, &mut carried).await; // [I/O]
    let eviction_again = carried.held_back.as_ref().map(|held| held.again_after);
    let resize_again = context.ledger.resizing.again_after(key, Instant::now());
    let raise_again = context.ledger.raising.again_after(key, Instant::now());
    carried.again_after = [carried.again_after, eviction_again, resize_again, raise_again]
        .into_iter()
        .flatten()
        .min();
    // A record that cannot be written holds nothing else up.
    stamped.map(|_| carried)
}

/// Writes the records of revisions to the claims for their volumes. Returns whether any was written.
async fn stamp(
    valid: &ValidIndexer,
    decision: &Decision,
    observed: &Observed,
    key: &Key,
    context: &Context,
) -> Result<bool, apply::Error> {
    let due = stamps(valid, decision, observed); // [pure]
    for stamp in &due {
        apply::stamp(&context.client, key, stamp, &valid.uid).await?; // [I/O]
        context.metrics.changed(PersistentVolumeClaim::KIND, Purpose::Record);
        tracing::debug!(indexer = %key, claim = stamp.claim.name, "wrote the record of a revision to a volume claim");
    }
    Ok(!due.is_empty())
}

/// Takes a pod with an outdated template away, if it may go now.
async fn replace(pod: &ObservedPod, key: &Key, context: &Context, carried: &mut Carried) -> Result<(), apply::Error> {
    let removal = apply::remove(&context.client, key, pod).await?; // [I/O]
    carried.held_back = context.ledger.evictions.note(key, pod, removal, Instant::now());
    match &carried.held_back {
        None => {
            context.metrics.changed(Pod::KIND, Purpose::Replace);
            tracing::info!(indexer = %key, pod = pod.name, "replaced a pod with an outdated template");
            carried.done.changed = true;
        }
        Some(held) => tracing::debug!(indexer = %key, pod = pod.name, why = held.words, "a pod is held back"),
    }
    Ok(())
}

/// Pods that are in the Service but must not be, or vice versa. Where digests cannot be compared, nothing is changed.
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
