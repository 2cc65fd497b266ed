//! Whether something is changing, and whether nothing will change until a person acts.

use crds::{
    conditions::reasons,
    pod::{Check, module_reasons},
};

use super::{
    case::{Case, KEPT_OUT, halt_reason, reason},
    verdict::Verdict,
};
use crate::facts::{ObservedPod, is_template_unknown};

impl Case<'_> {
    /// Only what no waiting can mend. What a pod of an outdated template complains of may be mended already.
    pub(super) fn stalled(&self) -> Verdict {
        if let Err(invalid) = self.inputs.outcome {
            return Verdict::yes(invalid.reason, invalid.problems.join("; "));
        }
        if let Some(failure) = self.failure().filter(|f| f.needs_change) {
            return Verdict::yes(reasons::APPLY_FAILED, failure.message.clone());
        }
        let answers = || self.current.iter().filter_map(|pod| pod.sample.answer());
        // A missing module is no reason to give up: pods look again, and go on once the ConfigMap, the server or the
        // registry has it.
        let is_missing = |reason: &str| matches!(reason, module_reasons::NOT_FOUND | module_reasons::FETCH_FAILED);
        let refused = |module: &&Check| module.ok == Some(false) && !is_missing(&module.reason);
        if let Some(module) = answers().map(|s| &s.module).find(refused) {
            return Verdict::yes(reason(module, module_reasons::ALL), module.message.clone());
        }
        if let Some(halt) = answers().find_map(|s| s.halt.as_ref()) {
            return Verdict::yes(
                halt_reason(halt),
                format!("stopped below height {}: {}", halt.height, halt.message),
            );
        }
        // Where digests are compared, the outcome decides who serves. A pod that was kept out and is alone has nobody to be
        // compared with, so it stays out.
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
        // With no pods wanted a rollout rests until somebody wants some.
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
        // Those of a revision that is kept for a way back are as they shall be.
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
