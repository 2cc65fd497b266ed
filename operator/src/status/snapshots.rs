//! (pure) Snapshots that are published, and whether that works.

use crds::{
    LatestSnapshot, Revision, SnapshotsStatus,
    conditions::reasons,
    pod::{Snapshots, Status, snapshot_reasons},
};

use super::{
    case::{Case, reason},
    inputs::Inputs,
    numbers::whole_second,
    verdict::Verdict,
};
use crate::names;

/// What is published; none where nothing is to be. The last snapshot stays known while no pod says so.
pub(super) fn snapshots(inputs: &Inputs<'_>, serving: Option<&Revision>) -> Option<SnapshotsStatus> {
    if !is_declared(inputs) {
        return None;
    }
    let report = serving.and_then(|serving| publisher(inputs, serving)?.snapshots.as_ref());
    let latest = report.and_then(|report| report.latest.clone());
    let latest = latest.or_else(|| known_before(inputs, serving).cloned());
    Some(SnapshotsStatus {
        latest: latest.map(|latest| LatestSnapshot {
            time: whole_second(latest.time.0),
            ..latest
        }),
        underway: report.and_then(|report| report.underway.clone()),
    })
}

/// Of this revision, and in the place that is declared now.
fn known_before<'a>(inputs: &Inputs<'a>, serving: Option<&Revision>) -> Option<&'a LatestSnapshot> {
    let last = inputs.last_status?;
    let latest = last.snapshots.as_ref()?.latest.as_ref()?;
    let is_of_serving = last.active.as_ref().map(|active| &active.revision) == serving;
    let prefix = inputs.outcome.ok().and_then(|valid| valid.snapshots.as_ref());
    let is_there = prefix.is_none_or(|declared| latest.url.starts_with(declared.url.trim_end_matches('/')));
    (is_of_serving && is_there).then_some(latest)
}

/// An invalid spec changes nothing, so what was declared before it still is.
fn is_declared(inputs: &Inputs<'_>) -> bool {
    match inputs.outcome {
        Ok(valid) => valid.snapshots.is_some(),
        Err(_) => inputs.last_status.is_some_and(|last| last.snapshots.is_some()),
    }
}

/// What the pod says that publishes snapshots of a revision.
fn publisher<'a>(inputs: &Inputs<'a>, revision: &Revision) -> Option<&'a Status> {
    let name = names::publisher(inputs.name, revision);
    let pod = inputs.observed.pods.iter().find(|pod| pod.name == name)?;
    pod.sample.answer()
}

impl Case<'_> {
    pub(super) fn snapshots_ready(&self) -> Verdict {
        if !is_declared(self.inputs) {
            return Verdict::yes(reasons::NOT_CONFIGURED, "spec.snapshots is not declared");
        }
        let publisher = self.pods.first().and_then(|pod| publisher(self.inputs, &pod.revision));
        let Some(publisher) = publisher else {
            return self.no_answer();
        };
        let Some(Snapshots { check, .. }) = &publisher.snapshots else {
            return Verdict::unknown(
                reasons::NO_REPORT,
                "the pod that publishes says nothing of snapshots yet",
            );
        };
        let reason = reason(check, snapshot_reasons::ALL);
        match check.ok {
            Some(true) => Verdict::yes(reason, "the last snapshot that was due is there"),
            Some(false) => Verdict::no(reason, check.message.clone()),
            None => Verdict::unknown(reason, check.message.clone()),
        }
    }
}
