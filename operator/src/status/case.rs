//! What all conditions are derived from.

use crds::{
    MAX_BEHIND,
    conditions::reasons,
    pod::{Check, FaultClass, Halt, Status},
};

use super::{
    inputs::{Failure, Inputs},
    verdict::Verdict,
};
use crate::facts::{ObservedPod, Sample, is_outdated};

const ROLLING: &str = "pods are being created or replaced";
pub(super) const KEPT_OUT: &str = "every ready pod is kept out of the Service, because its digest differed from that of the \
     others; delete its volume claim and then the pod to rebuild it";

/// What all conditions are derived from.
pub(super) struct Case<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    /// Pods of the serving revision.
    pub(super) pods: &'a [&'a ObservedPod],
    pub(super) answers: Vec<&'a Status>,
    /// Those of them that run the newest template and are not being deleted: the result of the current spec.
    pub(super) current: Vec<&'a ObservedPod>,
    pub(super) wanted: usize,
    pub(super) suspended: bool,
    /// How many blocks behind the tip still count as caught up.
    pub(super) max_behind: u32,
}

impl<'a> Case<'a> {
    /// `pods` are those of the serving revision.
    pub(super) fn new(inputs: &'a Inputs<'a>, pods: &'a [&'a ObservedPod]) -> Self {
        let valid = inputs.outcome.ok();
        Self {
            inputs,
            pods,
            answers: pods.iter().filter_map(|pod| pod.sample.answer()).collect(),
            current: current(inputs, pods),
            wanted: valid
                .and_then(|v| usize::try_from(v.replicas).ok())
                .unwrap_or(pods.len()),
            suspended: valid.is_some_and(|v| v.suspended),
            // An invalid spec is not used at all.
            max_behind: valid.map_or(MAX_BEHIND, |v| v.rollout.max_behind),
        }
    }

    /// What is going on while pods come and go, and what holds it up.
    pub(super) fn rolling(&self) -> String {
        let held_back = self.inputs.applied.held_back.as_ref();
        held_back.map_or_else(|| ROLLING.to_owned(), |why| format!("{ROLLING}; {why}"))
    }

    /// The refused call, unless it was for a candidate: that one does not touch what serves.
    pub(super) fn failure(&self) -> Option<&'a Failure> {
        failure(self.inputs)
    }

    /// Whether the pods behind the Service are not yet those that the spec declares.
    pub(super) fn is_rolling(&self) -> bool {
        self.pods.len() < self.wanted || self.current.len() < self.pods.len()
    }

    /// Set while objects of an earlier Indexer of this name still exist: nothing is applied before they are gone.
    pub(super) fn leftovers(&self) -> Option<Verdict> {
        let leftovers = &self.inputs.observed.leftovers;
        let first = leftovers.first()?;
        let others = match leftovers.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let message = format!(
            "waiting for Kubernetes to delete {first}{others}, which belonged to a deleted Indexer of the same name"
        );
        Some(Verdict::no(reasons::ROLLING, message))
    }

    /// Whether ready pods exist and the Service selects none of them.
    pub(super) fn is_kept_out(&self) -> bool {
        let mut ready = self.pods.iter().filter(|pod| pod.ready && !pod.terminating).peekable();
        ready.peek().is_some() && ready.all(|pod| pod.kept_out)
    }

    /// The pods that run an outdated template.
    pub(super) fn outdated(&self) -> Vec<&ObservedPod> {
        let is_current = |pod: &ObservedPod| self.current.iter().any(|current| current.name == pod.name);
        self.pods.iter().copied().filter(|pod| !is_current(pod)).collect()
    }

    pub(super) fn halt(&self) -> Option<&Halt> {
        self.answers.iter().find_map(|s| s.halt.as_ref())
    }

    pub(super) fn no_answer(&self) -> Verdict {
        if self.suspended {
            Verdict::unknown(reasons::SUSPENDED, "spec.suspend is true")
        } else if self.pods.iter().any(|pod| matches!(pod.sample, Sample::Silent(_))) {
            Verdict::unknown(reasons::UNREACHABLE, "no pod answers")
        } else {
            Verdict::unknown(reasons::NO_REPORT, "no pod has reported yet")
        }
    }
}

/// The pods whose reports describe the newest spec. None while it is being applied.
fn current<'a>(inputs: &Inputs<'_>, pods: &[&'a ObservedPod]) -> Vec<&'a ObservedPod> {
    let is_written = |pod: &&ObservedPod| inputs.applied.sets_changed.contains(&pod.revision);
    if !inputs.observed.leftovers.is_empty() || pods.iter().any(is_written) || failure(inputs).is_some() {
        return Vec::new();
    }
    let is_current = |pod: &&&ObservedPod| !pod.terminating && !is_outdated(inputs.name, pod, inputs.observed);
    pods.iter().filter(is_current).copied().collect()
}

fn failure<'a>(inputs: &Inputs<'a>) -> Option<&'a Failure> {
    let failure = inputs.applied.failure.as_ref()?;
    let candidate = inputs.decision.and_then(|decision| decision.candidate.as_ref());
    (failure.revision.is_none() || failure.revision.as_ref() != candidate).then_some(failure)
}

/// The reason of a pod's check, if it is one that pods may report: reasons of conditions are public API, and some are
/// the operator's alone.
pub(super) fn reason(check: &Check, known: &[&'static str]) -> &'static str {
    if check.reason.is_empty() {
        return reasons::NO_REPORT;
    }
    let found = known.iter().find(|known| **known == check.reason);
    found.copied().unwrap_or(reasons::UNRECOGNIZED)
}

pub(super) fn halt_reason(halt: &Halt) -> &'static str {
    match halt.class {
        FaultClass::Reorg => reasons::REORG_TOO_DEEP,
        FaultClass::Nondeterminism => reasons::NONDETERMINISM,
        FaultClass::Guest | FaultClass::Limit | FaultClass::Host | FaultClass::DiskFull | FaultClass::Source => {
            reasons::HALTED
        }
    }
}
