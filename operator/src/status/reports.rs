//! What the reports of the serving pods add up to.

use crds::{
    conditions::reasons,
    pod::{Check, Status, source_reasons},
};

use super::{
    case::{Case, halt_reason, reason},
    verdict::Verdict,
};
use crate::facts::{Consistency, change::is_under_pressure, long_run, long_run_in_words};

impl Case<'_> {
    /// A block that runs for long is named whether the index is at the tip or not: a guest that loops there falls behind
    /// only with the next blocks.
    pub(super) fn synced(&self) -> Verdict {
        let mut verdict = self.distance();
        let runs = self
            .pods
            .iter()
            .find_map(|pod| Some((pod, long_run(pod.sample.answer()?)?)));
        if let Some((pod, block)) = runs
            && [reasons::AS_EXPECTED, reasons::CATCHING_UP].contains(&verdict.reason.as_str())
        {
            reasons::LONG_RUN.clone_into(&mut verdict.reason);
            verdict.message = format!("{}; {}", verdict.message, long_run_in_words(&pod.name, block));
        }
        verdict
    }

    /// Judged by the pod that is furthest ahead: one that lags does not undo what another one has indexed.
    fn distance(&self) -> Verdict {
        if let Some(halt) = self.halt() {
            return Verdict::no(halt_reason(halt), "indexing stopped");
        }
        let Some(best) = self.answers.iter().min_by_key(|s| s.behind.unwrap_or(u32::MAX)) else {
            return self.no_answer();
        };
        if best.source.ok == Some(false) {
            return Verdict::unknown(
                reason(&best.source, source_reasons::ALL),
                "the chain's tip is not available",
            );
        }
        match best.behind {
            None => Verdict::unknown(reasons::NO_REPORT, "the height or the tip is not known yet"),
            Some(behind) if behind <= self.max_behind => {
                Verdict::yes(reasons::AS_EXPECTED, "the index is at the chain's tip")
            }
            Some(_) => Verdict::no(reasons::CATCHING_UP, "blocks are missing up to the chain's tip"),
        }
    }

    /// The worst report decides. If all are well, the message is ours: a pod's own may contain figures that change.
    /// `known` are the reasons that a pod may give.
    pub(super) fn check(&self, of: impl Fn(&Status) -> &Check, known: &[&'static str], well: &str) -> Verdict {
        let checks: Vec<&Check> = self.answers.iter().map(|s| of(s)).collect();
        if let Some(bad) = checks.iter().find(|check| check.ok == Some(false)) {
            return Verdict::no(reason(bad, known), bad.message.clone());
        }
        if let Some(open) = checks.iter().find(|check| check.ok.is_none()) {
            return Verdict::unknown(reason(open, known), open.message.clone());
        }
        checks
            .first()
            .map_or_else(|| self.no_answer(), |good| Verdict::yes(reason(good, known), well))
    }

    pub(super) fn memory_pressure(&self) -> Verdict {
        if self.answers.is_empty() {
            self.no_answer()
        } else if self.answers.iter().any(|s| is_under_pressure(s)) {
            let message = "a guest's memory was at or above memory.threshold after one of its last 100 blocks";
            Verdict::yes(reasons::ABOVE_THRESHOLD, message)
        } else {
            Verdict::no(
                reasons::BELOW_THRESHOLD,
                "no guest's memory was at or above memory.threshold after any of its last 100 blocks",
            )
        }
    }

    pub(super) fn consistent(&self) -> Verdict {
        let observed = self.inputs.observed;
        let of = |revision| observed.consistency.get(revision);
        let rollout = self.inputs.decision;
        if let Some(Consistency::Differ(difference)) = rollout.and_then(|decision| of(&decision.serving)) {
            return Verdict::no(reasons::DIGESTS_DIFFER, difference.to_string());
        }
        match rollout.and_then(|decision| of(&decision.serving)) {
            Some(_) => Verdict::yes(reasons::AS_EXPECTED, "pods have equal digests at equal heights"),
            None if self.wanted == 1 => Verdict::yes(reasons::NOT_COMPARED, "there is only one pod"),
            None => Verdict::unknown(reasons::NOT_COMPARED, "fewer than two pods report"),
        }
    }
}
