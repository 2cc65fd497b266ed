//! Whether pods have the memory that they should have.

use crds::{conditions::reasons, pod::Store};

use super::{case::Case, verdict::Verdict};
use crate::{
    facts::{ObservedPod, ResizeProblem},
    resources::quantity_text,
};

/// Steps in which more memory is recommended.
const UNDERSIZED_STEP_MIB: u64 = 256;

impl Case<'_> {
    /// What keeps pods from being resized comes first: with more memory, the rest may be solved.
    pub(super) fn memory_undersized(&self) -> Verdict {
        if let Some(kept) = self.not_resized() {
            return kept;
        }
        if self.answers.is_empty() {
            return self.no_answer();
        }
        let stores = self.answers.iter().filter_map(|status| status.store.as_ref());
        match stores
            .max_by_key(|store| store.unfiltered_rows)
            .filter(|store| store.unfiltered_rows > 0)
        {
            None => Verdict::no(
                reasons::FILTERS_IN_MEMORY,
                "filters and indexes of all rows are in memory",
            ),
            Some(store) => Verdict::yes(reasons::FILTERS_ON_DISK, undersized(store)),
        }
    }

    /// Why a pod does not have the memory that it is to have, where the operator gives it.
    fn not_resized(&self) -> Option<Verdict> {
        let max = self.inputs.outcome.ok()?.max_limit_bytes?;
        let is = |problem| self.pods.iter().find(move |pod| pod.resize == Some(problem));
        if let Some(pod) = is(ResizeProblem::Infeasible) {
            let message = format!(
                "the node of {} is too small for {}: lower memory.maxLimit, or have the pod run on a larger node. With \
                 several replicas it is recreated, so that it may be placed elsewhere",
                pod.name,
                limit(pod)
            );
            return Some(Verdict::yes(reasons::RESIZE_INFEASIBLE, message));
        }
        let mut refusals = self.inputs.applied.resize_refusals.iter();
        if let Some(refusal) = refusals.find(|refusal| self.pods.iter().any(|pod| pod.uid == refusal.uid)) {
            let then = if refusal.is_impossible {
                "; it gets its memory by being recreated"
            } else {
                ""
            };
            return Some(Verdict::yes(
                reasons::RESIZE_REFUSED,
                format!("{}{then}", refusal.words),
            ));
        }
        if let Some(pod) = is(ResizeProblem::Deferred) {
            let message = format!(
                "the node of {} has no room for {} now; the pod gets it once there is",
                pod.name,
                limit(pod)
            );
            return Some(Verdict::yes(reasons::RESIZE_DEFERRED, message));
        }
        let needed = self.inputs.recommendation?.request.bytes().ok()?;
        (needed > max).then(|| {
            let message = format!(
                "processes need {}, which is more than memory.maxLimit, {}: raise it",
                quantity_text(needed),
                quantity_text(max)
            );
            Verdict::yes(reasons::AT_MAX_LIMIT, message)
        })
    }
}

/// The memory that a pod is to have, for people.
fn limit(pod: &ObservedPod) -> String {
    let memory = pod.memory;
    let text = |bytes: Option<u64>| bytes.map_or_else(|| "none".to_owned(), quantity_text);
    format!(
        "a request of {} and a limit of {}",
        text(memory.request),
        text(memory.limit)
    )
}

/// Which number to raise, and to what. In steps, so that a message does not change with every block.
fn undersized(store: &Store) -> String {
    // Of a store's memory, filters and indexes get four fifths; filters take ten bits a row.
    let missing_bytes = store.unfiltered_rows.saturating_add(store.unfiltered_rows / 4);
    let needed_bytes = store.filters_bytes.saturating_add(missing_bytes) / 4 * 5;
    let wanted_mib = (needed_bytes >> 20).next_multiple_of(UNDERSIZED_STEP_MIB);
    format!(
        "filters of some rows do not fit into the store's memory, so that every read asks the disk about them: set \
         storage.cache to {wanted_mib}Mi or more, and raise the pod's memory by as much if resources are given"
    )
}
