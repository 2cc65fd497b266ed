//! (pure) The conditions of a rollout: whether one is in progress, and whether it stalls the resource.
//!
//! A candidate does not affect Ready, which describes the serving revision. A failure shows in Stalled, which GitOps
//! tools treat as a failure regardless of Ready.

use crds::{Revision, conditions::reasons};

use super::{inputs::Inputs, verdict::Verdict};
use crate::{
    facts::ObservedPod,
    record::Record,
    rollout::{Decision, Step},
};

/// The condition `RolloutInProgress`. `outdated` are pods of the serving revision with an earlier template.
pub(super) fn in_progress(inputs: &Inputs<'_>, outdated: &[&ObservedPod]) -> Verdict {
    let Some(decision) = inputs.decision else {
        return Verdict::no(reasons::NO_ROLLOUT, "");
    };
    let candidate = decision.candidate.as_ref();
    if let Some(failure) = inputs
        .applied
        .failure
        .as_ref()
        .filter(|f| candidate.is_some() && f.revision.as_ref() == candidate)
    {
        return Verdict::yes(reasons::BLOCKED, failure.message.clone());
    }
    match &decision.step {
        Step::Settled => settled(decision, outdated),
        Step::CatchingUp(why) => Verdict::yes(reasons::CATCHING_UP, of(candidate, why)),
        Step::Soaking => Verdict::yes(
            reasons::SOAKING,
            of(
                candidate,
                "it is caught up and healthy; clients are moved once this has lasted for rollout.soak",
            ),
        ),
        Step::Blocked(why) | Step::Differs(why) => Verdict::yes(reasons::BLOCKED, of(candidate, why)),
        Step::Queued(why) => Verdict::yes(reasons::QUEUED, why.clone()),
        Step::Switching => Verdict::yes(reasons::SWITCHING, of(candidate, "clients are being moved to it")),
        Step::Failed(why) => Verdict::no(reasons::CANDIDATE_FAILED, of(candidate, why)),
        Step::Refused(reason, why) => Verdict::no(reason, why.clone()),
        Step::Lost(why) => Verdict::no(reasons::RECORD_LOST, why.clone()),
    }
}

/// A module that continues data in place is being rolled out as long as a pod runs the previous one.
fn settled(decision: &Decision, outdated: &[&ObservedPod]) -> Verdict {
    let record = decision.record(&decision.serving);
    let is_on_its_way = |record: &Record| {
        let module = &record.identity.module_sha256;
        let runs_another =
            |pod: &&ObservedPod| pod.sample.answer().is_none_or(|status| status.module_sha256 != *module);
        record.in_place && outdated.iter().any(runs_another)
    };
    if record.is_some_and(is_on_its_way) {
        return Verdict::yes(
            reasons::SWITCHING,
            "pods are switching to another module, one at a time",
        );
    }
    Verdict::no(reasons::NO_ROLLOUT, "")
}

/// The condition `Stalled`. `own` is that of the serving revision alone; `difference` describes its pods if they do not
/// agree. While a candidate is in progress, it may replace a broken serving revision, so no action is needed yet.
pub(super) fn stalled(inputs: &Inputs<'_>, own: Verdict, difference: Option<&Verdict>) -> Verdict {
    let Some(decision) = inputs.decision else { return own };
    let candidate = decision.candidate.as_ref();
    let failure = inputs.applied.failure.as_ref();
    if let Some(failure) = failure.filter(|failure| failure.needs_change) {
        return Verdict::yes(reasons::APPLY_FAILED, failure.message.clone());
    }
    match &decision.step {
        Step::Failed(why) => Verdict::yes(reasons::CANDIDATE_FAILED, of(candidate, why)),
        Step::Differs(why) => Verdict::yes(reasons::BLOCKED, of(candidate, why)),
        Step::Refused(reason, why) => Verdict::yes(reason, why.clone()),
        Step::Lost(why) => Verdict::yes(reasons::RECORD_LOST, why.clone()),
        Step::CatchingUp(_) | Step::Soaking | Step::Switching => Verdict::no(reasons::AS_EXPECTED, ""),
        Step::Settled | Step::Blocked(_) | Step::Queued(_) if own.is_true() => own,
        Step::Settled | Step::Blocked(_) | Step::Queued(_) => difference.map_or_else(
            || Verdict::no(reasons::AS_EXPECTED, ""),
            |difference| Verdict::yes(&difference.reason, difference.message.clone()),
        ),
    }
}

fn of(candidate: Option<&Revision>, why: &str) -> String {
    candidate.map_or_else(|| why.to_owned(), |revision| format!("revision {revision}: {why}"))
}
