//! (pure) The figures in a status.

use crds::{
    ActiveRevision, CandidateRevision, Identity, IndexerStatus, MemoryRecommendation, MemoryStatus, Phase, PodRow,
    Revision,
    pod::Status,
    sync_pace::{speed_in_words, time_left_in_words},
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::inputs::Inputs;
use crate::{
    facts::{Observed, ObservedPod, Sample, change::resident_differs, long_run, long_run_in_words},
    rollout::Decision,
    validate::ValidIndexer,
};

/// Rows a status holds at most, as its schema says: 16 pods each of the revision that serves, the one that served before
/// and the candidate.
const ROWS_MAX: usize = 48;

/// The state of the serving revision: that of the pod that is furthest ahead.
pub(super) fn active(revision: &Revision, inputs: &Inputs<'_>, pods: &[&ObservedPod]) -> Option<ActiveRevision> {
    let before = inputs.last_status.and_then(|status| status.active.as_ref());
    let planned = inputs.decision.and_then(|decision| decision.record(revision));
    let best = furthest(pods.iter().copied());
    let module = planned
        .map(|record| &record.identity.module_sha256)
        .or_else(|| before.map(|active| &active.module_sha256))
        .or_else(|| best.map(|status| &status.module_sha256))?;
    Some(ActiveRevision {
        revision: revision.clone(),
        module_sha256: module.clone(),
        height: best.and_then(|s| s.height),
        block_hash: best.and_then(|s| s.block_hash.clone()),
        digest: best.and_then(|s| s.digest.clone()),
        behind: best.and_then(|s| s.behind),
        blocks_per_second: best.and_then(|s| s.blocks_per_second).map(speed_in_words),
        time_left: best.and_then(|s| s.seconds_left).map(time_left_in_words),
        store_format: best.and_then(|s| s.store_format),
        lineage: best.map(|s| s.lineage.clone()).unwrap_or_default(),
    })
}

/// The state of the declared revision while it does not serve.
pub(super) fn candidate(decision: &Decision, observed: &Observed) -> Option<CandidateRevision> {
    // In the pass that moves clients, it is the active one already.
    let revision = decision
        .candidate
        .as_ref()
        .filter(|revision| **revision != decision.serving)?;
    let best = furthest(observed.pods_of(revision));
    Some(CandidateRevision {
        revision: revision.clone(),
        module_sha256: decision.record(revision)?.identity.module_sha256.clone(),
        height: best.and_then(|s| s.height),
        behind: best.and_then(|s| s.behind),
        blocks_per_second: best.and_then(|s| s.blocks_per_second).map(speed_in_words),
        time_left: best.and_then(|s| s.seconds_left).map(time_left_in_words),
        healthy_since: decision.healthy_since.map(whole_second),
    })
}

/// The identity of the serving revision.
pub(super) fn identity<'a>(inputs: &Inputs<'a>, valid: &'a ValidIndexer) -> &'a Identity {
    let serving = inputs.decision.and_then(|decision| decision.record(&decision.serving));
    serving.map_or(&valid.identity, |record| &record.identity)
}

/// A time as the API server keeps it. With a fraction a status would differ from itself once it was written.
pub(super) fn whole_second(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

fn furthest<'a>(pods: impl Iterator<Item = &'a ObservedPod>) -> Option<&'a Status> {
    pods.filter_map(|pod| pod.sample.answer())
        .max_by_key(|status| status.height)
}

/// Memory of the pod whose guest used most: figures of one process belong together.
pub(super) fn memory(pods: &[&ObservedPod], recommendation: Option<MemoryRecommendation>) -> Option<MemoryStatus> {
    let answers = pods.iter().filter_map(|pod| pod.sample.answer());
    let memory = &answers.max_by_key(|status| status.memory.guest_peak_bytes)?.memory;
    Some(MemoryStatus {
        guest_bytes: memory.guest_bytes,
        guest_peak_bytes: memory.guest_peak_bytes,
        guest_peak_height: memory.guest_peak_height,
        resident_bytes: memory.resident_bytes,
        threshold_bytes: memory.threshold_bytes,
        limit_bytes: memory.limit_bytes,
        peak_of_threshold: format!("{}/{}", short(memory.guest_peak_bytes), short(memory.threshold_bytes)),
        refreshes: memory.refreshes,
        refreshes_total: memory.refreshes.total(),
        last_refresh: memory.last_refresh.clone(),
        recommendation,
    })
}

/// One row per pod, those of the serving revision first.
pub(super) fn rows(observed: &Observed, serving: Option<&Revision>) -> Vec<PodRow> {
    let mut pods: Vec<&ObservedPod> = observed.pods.iter().collect();
    pods.sort_by_key(|pod| (Some(&pod.revision) != serving, &pod.name));
    pods.into_iter().take(ROWS_MAX).map(row).collect()
}

/// `next` with the resident memory of `last` where the two differ only by jitter.
pub(super) fn without_jitter(last: &IndexerStatus, mut next: IndexerStatus) -> IndexerStatus {
    if let (Some(before), Some(memory)) = (&last.memory, &mut next.memory)
        && !resident_differs(before.resident_bytes, memory.resident_bytes)
    {
        memory.resident_bytes = before.resident_bytes;
    }
    for row in &mut next.pods {
        let before = last
            .pods
            .iter()
            .find(|r| r.name == row.name)
            .and_then(|r| r.resident_bytes);
        if let (Some(before), Some(bytes)) = (before, row.resident_bytes)
            && !resident_differs(before, bytes)
        {
            row.resident_bytes = Some(before);
        }
    }
    next
}

fn row(pod: &ObservedPod) -> PodRow {
    let answer = pod.sample.answer();
    PodRow {
        name: pod.name.clone(),
        uid: Some(pod.uid.clone()),
        revision: pod.revision.clone(),
        phase: answer.map_or(Phase::Unknown, |s| s.phase),
        height: answer.and_then(|s| s.height),
        guest_bytes: answer.map(|s| s.memory.guest_bytes),
        resident_bytes: answer.map(|s| s.memory.resident_bytes),
        restarts: pod.restarts,
        message: message(pod),
    }
}

fn message(pod: &ObservedPod) -> Option<String> {
    match (&pod.trouble, &pod.sample) {
        (Some(trouble), _) => Some(match &pod.last_words {
            Some(words) => format!("{trouble}: {words}"),
            None => trouble.clone(),
        }),
        (None, Sample::NotRunning) => None,
        (None, Sample::Silent(why)) => Some(why.clone()),
        (None, Sample::Answer(status)) => problem(&pod.name, status),
    }
}

fn problem(pod: &str, status: &Status) -> Option<String> {
    let halt = status
        .halt
        .as_ref()
        .map(|h| format!("stopped below height {}: {}", h.height, h.message));
    let bad = [&status.module, &status.seed, &status.source]
        .into_iter()
        .find(|check| check.ok == Some(false));
    let trouble = status.trouble.as_ref().map(|trouble| trouble.message.clone());
    let filling = || Some(&status.seed).filter(|seed| seed.ok.is_none() && !seed.message.is_empty());
    let long = || long_run(status).map(|block| long_run_in_words(pod, block));
    halt.or(trouble)
        .or_else(|| bad.or_else(filling).map(|check| check.message.clone()))
        .or_else(long)
}

/// A byte count for people, rounded up, in the unit that keeps it short.
fn short(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    if bytes < 10 * MIB && !bytes.is_multiple_of(MIB) {
        format!("{}Ki", bytes.div_ceil(KIB))
    } else {
        format!("{}Mi", bytes.div_ceil(MIB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_counts_are_short_and_never_too_small() {
        let cases = [
            (0, "0Mi"),
            (64 << 10, "64Ki"),
            (61 << 20, "61Mi"),
            ((61 << 20) + 1, "62Mi"),
            (4 << 30, "4096Mi"),
        ];
        for (bytes, text) in cases {
            assert_eq!(short(bytes), text);
        }
    }
}
