//! (pure) All conditions of an Indexer. Messages hold no figure that moves by itself: each would be a write.
//!
//! Ready says whether all that the spec asks for holds, and only that lets kstatus call a resource Current. So an
//! Indexer that wants no pods, suspended or scaled to zero, is Ready once they are gone, with a reason of its own;
//! whether queries are answered is what Available says.

use std::collections::BTreeMap;

use crds::{
    MAX_BEHIND,
    conditions::{reasons, types},
    pod::{Check, FaultClass, Halt, Status, module_reasons},
};

use super::{Failure, Inputs, judge::Verdict, rollout};
use crate::{
    observe::{Consistency, ObservedPod},
    rollout::{is_outdated, is_template_unknown},
    sampler::{Sample, change::is_under_pressure},
};

const ROLLING: &str = "pods are being created or replaced";

/// One verdict for each of `types::ALL`.
pub(super) struct Verdicts(BTreeMap<&'static str, Verdict>);

/// What the judgements have in common.
struct Case<'a> {
    inputs: &'a Inputs<'a>,
    /// Pods of the serving revision.
    pods: &'a [&'a ObservedPod],
    answers: Vec<&'a Status>,
    /// Those of them that run the newest template and stay: what the spec as it is now has led to.
    current: Vec<&'a ObservedPod>,
    wanted: usize,
    suspended: bool,
}

impl Verdicts {
    pub(super) fn of(&self, type_: &str) -> &Verdict {
        #[allow(clippy::expect_used)] // `judge` and `types::ALL` are compared by a test
        self.0.get(type_).expect("every type is judged")
    }
}

/// Judges every condition. `pods` are those of the serving revision.
pub(super) fn judge(inputs: &Inputs<'_>, pods: &[&ObservedPod]) -> Verdicts {
    let valid = inputs.outcome.ok();
    let case = Case {
        inputs,
        pods,
        answers: pods.iter().filter_map(|pod| pod.sample.answer()).collect(),
        current: current(inputs, pods),
        wanted: valid
            .and_then(|v| usize::try_from(v.replicas).ok())
            .unwrap_or(pods.len()),
        suspended: valid.is_some_and(|v| v.suspended),
    };
    let module = case.check(
        |s| &s.module,
        "the module has the declared digest and the needed exports",
    );
    let source = case.check(|s| &s.source, "the chain source answers for the right network");
    let synced = case.synced();
    let consistent = case.consistent();
    let rollout = rollout::in_progress(inputs, &case.outdated());
    let own = case.stalled();
    let ready = case.ready(&own, &module, &source, &synced, &consistent);
    // A pod that has not told yet may be the one that decides.
    let difference = Some(&consistent).filter(|_| case.answers.len() >= case.wanted && consistent.is_false());
    let stalled = rollout::stalled(inputs, own, difference);
    let reconciling = case.reconciling(&stalled, &ready, &rollout);
    Verdicts(BTreeMap::from([
        (types::READY, ready),
        (types::AVAILABLE, case.available()),
        (types::SYNCED, synced),
        (types::MODULE_VERIFIED, module),
        (types::CHAIN_SOURCE_READY, source),
        (types::MEMORY_PRESSURE, case.memory_pressure()),
        (types::CONSISTENT, consistent),
        (types::ROLLOUT_IN_PROGRESS, rollout),
        (types::RECONCILING, reconciling),
        (types::STALLED, stalled),
        (types::SUSPENDED, case.suspended()),
    ]))
}

/// The pods whose answers speak of the newest spec. None while it is being applied.
fn current<'a>(inputs: &Inputs<'_>, pods: &[&'a ObservedPod]) -> Vec<&'a ObservedPod> {
    let is_written = |pod: &&ObservedPod| inputs.applied.sets_changed.contains(&pod.revision);
    if pods.iter().any(is_written) || failure(inputs).is_some() {
        return Vec::new();
    }
    let is_current = |pod: &&&ObservedPod| !pod.terminating && !is_outdated(inputs.name, pod, inputs.observed);
    pods.iter().filter(is_current).copied().collect()
}

/// The refused call, unless it was for a candidate: that one does not touch what serves.
fn failure<'a>(inputs: &Inputs<'a>) -> Option<&'a Failure> {
    let failure = inputs.applied.failure.as_ref()?;
    let candidate = inputs.rollout.and_then(|rollout| rollout.candidate.as_ref());
    (failure.revision.is_none() || failure.revision.as_ref() != candidate).then_some(failure)
}

impl Case<'_> {
    fn ready(
        &self,
        stalled: &Verdict,
        module: &Verdict,
        source: &Verdict,
        synced: &Verdict,
        consistent: &Verdict,
    ) -> Verdict {
        if stalled.is_true() {
            return Verdict::no(&stalled.reason, stalled.message.clone());
        }
        if let Some(failure) = failure(self.inputs) {
            return Verdict::no(reasons::APPLY_FAILED, failure.message.clone());
        }
        if self.wanted == 0 {
            return self.ready_without_pods();
        }
        if let Some((pod, trouble)) = self.current.iter().find_map(|p| Some((p, p.trouble.as_ref()?))) {
            return Verdict::no(reasons::POD_NOT_RUNNING, format!("{}: {trouble}", pod.name));
        }
        if self.is_rolling() || self.pods.iter().any(|p| p.sample == Sample::NotRunning) {
            return Verdict::no(reasons::ROLLING, ROLLING);
        }
        if let Some(verdict) = self.unreachable() {
            return verdict;
        }
        if let Some(trouble) = self.answers.iter().find_map(|s| s.trouble.as_ref()) {
            return Verdict::no(reasons::HOST_FAULT, trouble.message.clone());
        }
        for verdict in [module, source, synced] {
            if !verdict.is_true() {
                return Verdict::no(&verdict.reason, verdict.message.clone());
            }
        }
        if consistent.is_false() {
            return Verdict::no(&consistent.reason, consistent.message.clone());
        }
        if let Some(pod) = self.pods.iter().find(|pod| !pod.ready) {
            return Verdict::no(reasons::NO_READY_PODS, format!("{} is not ready", pod.name));
        }
        Verdict::yes(reasons::AS_EXPECTED, "every pod follows the chain")
    }

    /// Nothing is missing where no pods are wanted and none are left.
    fn ready_without_pods(&self) -> Verdict {
        if !self.inputs.applied.sets_changed.is_empty() || !self.inputs.observed.pods.is_empty() {
            Verdict::no(reasons::ROLLING, "pods are on their way out")
        } else if self.suspended {
            Verdict::yes(reasons::SUSPENDED, "spec.suspend is true: no pods, their data is kept")
        } else {
            Verdict::yes(
                reasons::SCALED_TO_ZERO,
                "spec.replicas is 0: no pods, their data is kept",
            )
        }
    }

    /// Whether the pods behind the Service are not yet those the spec asks for.
    fn is_rolling(&self) -> bool {
        self.pods.len() < self.wanted || self.current.len() < self.pods.len()
    }

    /// A pod that runs and does not answer. If Kubernetes still calls it ready, nobody can say what is true.
    fn unreachable(&self) -> Option<Verdict> {
        let (pod, why) = self.pods.iter().find_map(|pod| match &pod.sample {
            Sample::Silent(why) => Some((pod, why)),
            Sample::NotRunning | Sample::Answer(_) => None,
        })?;
        let message = format!("{} does not answer: {why}", pod.name);
        let verdict = if pod.ready { Verdict::unknown } else { Verdict::no };
        Some(verdict(reasons::UNREACHABLE, message))
    }

    fn available(&self) -> Verdict {
        if self.pods.iter().any(|pod| pod.ready && !pod.terminating) {
            Verdict::yes(reasons::AS_EXPECTED, "the Service has a ready pod")
        } else if self.suspended {
            Verdict::no(reasons::SUSPENDED, "spec.suspend is true")
        } else {
            Verdict::no(reasons::NO_READY_PODS, "the Service has no ready pod")
        }
    }

    /// Judged by the pod that is furthest: one that lags does not undo what another one has indexed.
    fn synced(&self) -> Verdict {
        if let Some(halt) = self.halt() {
            return Verdict::no(halt_reason(halt), "indexing stopped");
        }
        let Some(best) = self.answers.iter().min_by_key(|s| s.behind.unwrap_or(u32::MAX)) else {
            return self.no_answer();
        };
        if best.source.ok == Some(false) {
            return Verdict::unknown(&best.source.reason, "the chain's tip cannot be asked for");
        }
        match best.behind {
            None => Verdict::unknown(reasons::NO_REPORT, "height or tip is not known yet"),
            Some(behind) if behind <= MAX_BEHIND => {
                Verdict::yes(reasons::AS_EXPECTED, "the index is at the chain's tip")
            }
            Some(_) => Verdict::no(reasons::CATCHING_UP, "blocks are missing up to the chain's tip"),
        }
    }

    /// The worst answer decides. What is well has a message of ours: a pod's own may hold figures that move.
    fn check(&self, of: impl Fn(&Status) -> &Check, well: &str) -> Verdict {
        let checks: Vec<&Check> = self.answers.iter().map(|s| of(s)).collect();
        if let Some(bad) = checks.iter().find(|check| check.ok == Some(false)) {
            return Verdict::no(&bad.reason, bad.message.clone());
        }
        if let Some(open) = checks.iter().find(|check| check.ok.is_none()) {
            return Verdict::unknown(&open.reason, open.message.clone());
        }
        checks
            .first()
            .map_or_else(|| self.no_answer(), |good| Verdict::yes(&good.reason, well))
    }

    fn memory_pressure(&self) -> Verdict {
        if self.answers.is_empty() {
            self.no_answer()
        } else if self.answers.iter().any(|s| is_under_pressure(s)) {
            let message = "a guest ended one of its last 100 blocks at or above memory.threshold";
            Verdict::yes(reasons::ABOVE_THRESHOLD, message)
        } else {
            Verdict::no(
                reasons::BELOW_THRESHOLD,
                "no guest ended one of its last 100 blocks at memory.threshold",
            )
        }
    }

    /// Only what no waiting can mend. What a pod of an outdated template complains of may be mended already.
    fn stalled(&self) -> Verdict {
        if let Err(invalid) = self.inputs.outcome {
            return Verdict::yes(invalid.reason, invalid.problems.join("; "));
        }
        if let Some(failure) = failure(self.inputs).filter(|f| f.needs_change) {
            return Verdict::yes(reasons::APPLY_FAILED, failure.message.clone());
        }
        let answers = || self.current.iter().filter_map(|pod| pod.sample.answer());
        // A missing module is no reason to give up: pods look again, and go on once the ConfigMap, the server or the
        // registry has it.
        let is_missing = |reason: &str| matches!(reason, module_reasons::NOT_FOUND | module_reasons::FETCH_FAILED);
        let refused = |module: &&Check| module.ok == Some(false) && !is_missing(&module.reason);
        if let Some(module) = answers().map(|s| &s.module).find(refused) {
            return Verdict::yes(&module.reason, module.message.clone());
        }
        if let Some(halt) = answers().find_map(|s| s.halt.as_ref()) {
            return Verdict::yes(
                halt_reason(halt),
                format!("stopped below height {}: {}", halt.height, halt.message),
            );
        }
        Verdict::no(reasons::AS_EXPECTED, "")
    }

    fn reconciling(&self, stalled: &Verdict, ready: &Verdict, rollout: &Verdict) -> Verdict {
        if !stalled.is_false() {
            return Verdict::no(reasons::AS_EXPECTED, "");
        }
        // With no pods wanted a rollout rests until somebody wants some.
        if rollout.is_true() && self.wanted > 0 {
            return rollout.clone();
        }
        if !ready.is_true() {
            return Verdict::yes(&ready.reason, ready.message.clone());
        }
        let observed = self.inputs.observed;
        let rollout = self.inputs.rollout;
        let is_set_unseen =
            rollout.is_some_and(|rollout| is_template_unknown(self.inputs.name, &rollout.serving, observed));
        // Those of a revision that is kept for a way back are as they shall be.
        let goes = |pod: &&ObservedPod| rollout.is_some_and(|rollout| !rollout.keeps(&pod.revision));
        let is_count_wrong = self.pods.len() != self.wanted || observed.pods.iter().any(|pod| goes(&pod));
        if self.inputs.applied.changed || is_set_unseen || is_count_wrong {
            return Verdict::yes(reasons::ROLLING, ROLLING);
        }
        Verdict::no(reasons::AS_EXPECTED, "")
    }

    /// The pods that run an outdated template.
    fn outdated(&self) -> Vec<&ObservedPod> {
        let is_current = |pod: &ObservedPod| self.current.iter().any(|current| current.name == pod.name);
        self.pods.iter().copied().filter(|pod| !is_current(pod)).collect()
    }

    fn consistent(&self) -> Verdict {
        let observed = self.inputs.observed;
        let of = |revision| observed.consistency.get(revision);
        let rollout = self.inputs.rollout;
        if let Some(Consistency::Differ(difference)) = rollout.and_then(|rollout| of(&rollout.serving)) {
            return Verdict::no(reasons::DIGESTS_DIFFER, difference.to_string());
        }
        match rollout.and_then(|rollout| of(&rollout.serving)) {
            Some(_) => Verdict::yes(reasons::AS_EXPECTED, "pods have equal digests at equal heights"),
            None if self.wanted == 1 => Verdict::yes(reasons::NOT_COMPARED, "there is one pod"),
            None => Verdict::unknown(reasons::NOT_COMPARED, "fewer than two pods report"),
        }
    }

    fn suspended(&self) -> Verdict {
        if self.suspended {
            Verdict::yes(reasons::SUSPENDED, "spec.suspend is true")
        } else {
            Verdict::no(reasons::NOT_SUSPENDED, "")
        }
    }

    fn halt(&self) -> Option<&Halt> {
        self.answers.iter().find_map(|s| s.halt.as_ref())
    }

    fn no_answer(&self) -> Verdict {
        if self.suspended {
            Verdict::unknown(reasons::SUSPENDED, "spec.suspend is true")
        } else if self.pods.iter().any(|pod| matches!(pod.sample, Sample::Silent(_))) {
            Verdict::unknown(reasons::UNREACHABLE, "no pod answers")
        } else {
            Verdict::unknown(reasons::NO_REPORT, "no pod has reported yet")
        }
    }
}

fn halt_reason(halt: &Halt) -> &'static str {
    match halt.class {
        FaultClass::Reorg => reasons::REORG_TOO_DEEP,
        FaultClass::Nondeterminism => reasons::NONDETERMINISM,
        FaultClass::Guest | FaultClass::Limit | FaultClass::Host | FaultClass::Source => reasons::HALTED,
    }
}
