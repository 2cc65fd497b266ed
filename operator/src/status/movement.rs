//! Whether a change is in progress, and whether none will happen without intervention.

use crds::{
    conditions::reasons,
    pod::{Check, module_reasons, seed_reasons},
};

use super::{
    case::{Case, KEPT_OUT, halt_reason, reason},
    verdict::Verdict,
};
use crate::facts::{ObservedPod, is_template_unknown};

impl Case<'_> {
    /// Only problems that waiting cannot solve. Those of a pod with an outdated template may be solved already.
    pub(super) fn stalled(&self) -> Verdict {
        if let Err(invalid) = self.inputs.outcome {
            return Verdict::yes(invalid.reason, invalid.problems.join("; "));
        }
        if let Some(failure) = self.failure().filter(|f| f.needs_change) {
            return Verdict::yes(reasons::APPLY_FAILED, failure.message.clone());
        }
        let answers = || self.current.iter().filter_map(|pod| pod.sample.answer());
        // A missing module is no reason to give up: pods retry, and continue once the ConfigMap, the server or the
        // registry has it.
        let is_missing = |reason: &str| matches!(reason, module_reasons::NOT_FOUND | module_reasons::FETCH_FAILED);
        let refused = |module: &&Check| module.ok == Some(false) && !is_missing(&module.reason);
        if let Some(module) = answers().map(|s| &s.module).find(refused) {
            return Verdict::yes(reason(module, module_reasons::ALL), module.message.clone());
        }
        let refused = |seed: &&Check| seed.ok == Some(false) && seed.reason == seed_reasons::SNAPSHOT_REFUSED;
        if let Some(seed) = answers().map(|s| &s.seed).find(refused) {
            return Verdict::yes(seed_reasons::SNAPSHOT_REFUSED, seed.message.clone());
        }
        if let Some(halt) = answers().find_map(|s| s.halt.as_ref()) {
            return Verdict::yes(
                halt_reason(halt),
                format!("stopped below height {}: {}", halt.height, halt.message),
            );
        }
        // Where digests are compared, the outcome decides which pods serve. A lone pod that was kept out cannot be
        // compared with any other, so it stays out.
        let serving = self.inputs.decision.map(|decision| &decision.serving);
        let is_compared = serving.is_some_and(|serving| self.inputs.observed.consistency.contains_key(serving));
        if self.is_kept_out() && !self.is_rolling() && !is_compared {
            return Verdict::yes(reasons::NO_READY_PODS, KEPT_OUT);
        }
        Verdict::no(reasons::AS_EXPECTED, "")
    }

    pub(super) fn reconciling(&self, stalled: &Verdict, ready: &Verdict, rollout: &Verdict) -> Verdict {
        if !stalled.is_false() {
            return Verdict::no(reasons::AS_EXPECTED, "");
        }
        // Without pods, a rollout rests.
        if rollout.is_true() && self.wanted > 0 {
            return rollout.clone();
        }
        if !ready.is_true() {
            return Verdict::yes(&ready.reason, ready.message.clone());
        }
        let observed = self.inputs.observed;
        let decision = self.inputs.decision;
        let is_set_unseen =
            decision.is_some_and(|decision| is_template_unknown(self.inputs.name, &decision.serving, observed));
        // Those of a revision that is kept for a rollback are as they should be.
        let goes = |pod: &&ObservedPod| decision.is_some_and(|decision| !decision.keeps(&pod.revision));
        let is_count_wrong = self.pods.len() != self.wanted || observed.pods.iter().any(|pod| goes(&pod));
        if self.inputs.applied.changed || is_set_unseen || is_count_wrong {
            return Verdict::yes(reasons::ROLLING, self.rolling());
        }
        Verdict::no(reasons::AS_EXPECTED, "")
    }

    pub(super) fn suspended(&self) -> Verdict {
        if self.suspended {
            Verdict::yes(reasons::SUSPENDED, "spec.suspend is true")
        } else {
            Verdict::no(reasons::NOT_SUSPENDED, "")
        }
    }
}
