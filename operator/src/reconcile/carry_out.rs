//! (I/O) Carrying out a decision: objects, labels of pods, replacements, refresh requests.

use crds::IndexerStatus;

use super::{context::Context, inquire::Decided};
use crate::{
    apply::{self, Done},
    facts::{Consistency, Observed, ObservedPod},
    objects::Key,
    plan::plan,
    refresh,
    rollout::{Step, next_replacement},
    validate::ValidIndexer,
};

/// Plans and applies.
pub(super) async fn carry_out(
    valid: &ValidIndexer,
    decided: &Decided,
    observed: &Observed,
    last_status: Option<&IndexerStatus>,
    key: &Key,
    context: &Context,
) -> Result<Done, apply::Error> {
    let decision = &decided.decision;
    if !observed.leftovers.is_empty() {
        // Kubernetes is deleting them, and each one that goes wakes another pass. The pods may be theirs.
        return Ok(Done::default());
    }
    let plan = plan(valid, decision); // [pure]
    let mut done = apply::apply(&context.client, key, &plan, observed).await?; // [I/O]
    if decision.step == Step::Switching {
        context
            .history
            .note_moved(key, decided.served.clone(), decision.served());
    }
    for (pod, serves) in misplaced(observed) {
        apply::let_serve(&context.client, key, pod, serves).await?; // [I/O]
        tracing::warn!(indexer = %key, pod = pod.name, serves, "added a pod to the Service or removed it, by its digest");
        done.changed = true;
    }
    if let Some(pod) = next_replacement(valid, decision, observed) {
        apply::replace(&context.client, key, pod).await?; // [I/O]
        tracing::info!(indexer = %key, pod = pod.name, "replaced a pod with an outdated template");
        done.changed = true;
    }
    if let Some(request) = refresh::pending(valid, last_status) {
        for target in refresh::targets(&decision.serving, observed, request) {
            if let Err(why) = context.pods.request_refresh(target, request).await {
                tracing::warn!(indexer = %key, pod = target.pod, why, "could not request a refresh; retrying");
            }
        }
    }
    Ok(done)
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
