//! Whether everything the spec asks for holds, and whether clients are answered.

use crds::{
    conditions::reasons,
    pod::{FaultClass, seed_reasons},
};

use super::{
    case::{Case, KEPT_OUT, reason},
    verdict::Verdict,
};
use crate::facts::{Sample, Stranger};

/// So many foreign pods are named in a condition; each has an event of its own.
const STRANGERS_NAMED: usize = 3;

impl Case<'_> {
    pub(super) fn ready(
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
        if let Some(failure) = self.failure() {
            return Verdict::no(reasons::APPLY_FAILED, failure.message.clone());
        }
        if let Some(verdict) = self.leftovers() {
            return verdict;
        }
        if self.wanted == 0 {
            return self.ready_without_pods();
        }
        if let Some((pod, trouble)) = self.current.iter().find_map(|p| Some((p, p.trouble.as_ref()?))) {
            return Verdict::no(reasons::POD_NOT_RUNNING, format!("{}: {trouble}", pod.name));
        }
        if self.is_rolling() || self.pods.iter().any(|p| p.sample == Sample::NotRunning) {
            return Verdict::no(reasons::ROLLING, self.rolling());
        }
        if let Some(verdict) = self.unreachable() {
            return verdict;
        }
        if let Some(trouble) = self.answers.iter().find_map(|s| s.trouble.as_ref()) {
            let reason = match trouble.class {
                FaultClass::DiskFull => reasons::DISK_FULL,
                _ => reasons::HOST_FAULT,
            };
            return Verdict::no(reason, trouble.message.clone());
        }
        if let Some(verdict) = self.filling() {
            return verdict;
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

    /// A pod whose volume is empty and not filled yet. How far it is, its row says.
    fn filling(&self) -> Option<Verdict> {
        let seeds = self.answers.iter().map(|status| &status.seed);
        let open = seeds.filter(|seed| seed.ok != Some(true) && !seed.reason.is_empty());
        let worst = open.min_by_key(|seed| seed.ok.is_none())?;
        let message = match worst.ok {
            Some(_) => worst.message.as_str(),
            None => "an empty volume is being filled: see the message of its pod",
        };
        Some(Verdict::no(reason(worst, seed_reasons::ALL), message))
    }

    /// Nothing is missing if there should be no pods and there are none.
    fn ready_without_pods(&self) -> Verdict {
        if !self.inputs.applied.sets_changed.is_empty() || !self.inputs.observed.pods.is_empty() {
            Verdict::no(reasons::ROLLING, "pods are being deleted")
        } else if self.suspended {
            Verdict::yes(
                reasons::SUSPENDED,
                "spec.suspend is true: there are no pods, and their data is kept",
            )
        } else {
            Verdict::yes(
                reasons::SCALED_TO_ZERO,
                "spec.replicas is 0: there are no pods, and their data is kept",
            )
        }
    }

    /// A pod that runs but does not answer. If Kubernetes still considers it ready, its state is unknown.
    fn unreachable(&self) -> Option<Verdict> {
        let (pod, why) = self.pods.iter().find_map(|pod| match &pod.sample {
            Sample::Silent(why) => Some((pod, why)),
            Sample::NotRunning | Sample::Answer(_) => None,
        })?;
        let message = format!("{} does not answer: {why}", pod.name);
        let verdict = if pod.ready { Verdict::unknown } else { Verdict::no };
        Some(verdict(reasons::UNREACHABLE, message))
    }

    pub(super) fn available(&self) -> Verdict {
        let mut verdict = self.answers_clients();
        if let Some(words) = strangers(&self.inputs.observed.strangers) {
            verdict.message = format!("{}; {words}", verdict.message);
        }
        verdict
    }

    fn answers_clients(&self) -> Verdict {
        if self.is_kept_out() {
            Verdict::no(reasons::NO_READY_PODS, KEPT_OUT)
        } else if self.pods.iter().any(|pod| pod.ready && !pod.terminating) {
            Verdict::yes(reasons::AS_EXPECTED, "the Service has a ready pod")
        } else if self.inputs.decision.is_some_and(|decision| decision.halted) {
            let message = "every pod has halted; the Service leads to them, and they answer for what is indexed";
            Verdict::yes(reasons::HALTED, message)
        } else if self.suspended {
            Verdict::no(reasons::SUSPENDED, "spec.suspend is true")
        } else {
            Verdict::no(reasons::NO_READY_PODS, "the Service has no ready pod")
        }
    }
}

/// Names pods that are not the Indexer's and that its Services may send clients to.
fn strangers(strangers: &[Stranger]) -> Option<String> {
    let (named, rest) = strangers.split_at(strangers.len().min(STRANGERS_NAMED));
    let names: Vec<&str> = named.iter().map(|stranger| stranger.name.as_str()).collect();
    let more = if rest.is_empty() { "" } else { " and others" };
    (!names.is_empty()).then(|| {
        format!(
            "clients may also be sent to {}{more}, which the labels of this Indexer are on and which it did not make",
            names.join(", ")
        )
    })
}
