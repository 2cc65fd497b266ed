//! (pure) Which difference between two samples warrants a pass of the reconciler, and how soon.
//!
//! Memory is measured all the time and rarely means anything new. Without these rules the operator would keep writing
//! every status every few seconds; with them, an idle Indexer causes no write at all.

use std::time::Duration;

use crds::pod;

use super::{long_run::long_run, sample::Sample};

/// How often changing numbers are published.
pub const NUMBERS_INTERVAL: Duration = Duration::from_secs(30);
/// How often further crossings of the threshold are published while the condition is already true.
pub const CROSSING_INTERVAL: Duration = Duration::from_secs(10);
/// Resident memory jitters with allocator and page cache: a smaller difference alone is not published.
pub const RESIDENT_STEP_BYTES: u64 = 64 << 20;
/// The free room of a volume moves by a little without anything new: a smaller difference than a two-hundredth of the
/// volume, or than this, is not published.
pub const FREE_STEP_BYTES: u64 = 1 << 20;
/// `MemoryPressure` stays true for this many blocks after the last one that ended at or above the threshold, so that a
/// guest that crosses it every few dozen blocks does not make the condition flap. Counting blocks needs no clock.
pub const PRESSURE_BLOCKS: u32 = 100;

/// How significant a change is, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// None.
    Nothing,
    /// Heights, bytes or counters of ordinary refreshes. The pace of a sync is published with them: it changes with every
    /// block, and on its own says nothing new.
    Numbers,
    /// One more block ended at or above the threshold.
    Crossing,
    /// A condition may change, or a request is waiting for the answer.
    Facts,
}

impl Change {
    /// Whether it is due to be published, this long after the last publication.
    #[must_use]
    pub fn is_due(self, since_shown: Duration) -> bool {
        match self {
            Self::Nothing => false,
            Self::Numbers => since_shown >= NUMBERS_INTERVAL,
            Self::Crossing => since_shown >= CROSSING_INTERVAL,
            Self::Facts => true,
        }
    }
}

/// Compares what was published with what is known now. A pod that is behind by at most `max_behind` counts as caught
/// up.
#[must_use]
pub fn change(shown: &Sample, latest: &Sample, max_behind: u32) -> Change {
    let (Sample::Answer(shown), Sample::Answer(latest)) = (shown, latest) else {
        // The error of a failed request differs between attempts; only the fact that it failed counts.
        let same = std::mem::discriminant(shown) == std::mem::discriminant(latest);
        return if same { Change::Nothing } else { Change::Facts };
    };
    if facts(shown, max_behind) != facts(latest, max_behind) {
        Change::Facts
    } else if shown.memory.last_crossing_height != latest.memory.last_crossing_height {
        Change::Crossing
    } else if numbers(shown) != numbers(latest)
        || resident_differs(shown.memory.resident_bytes, latest.memory.resident_bytes)
        || volume_differs(shown.volume.as_ref(), latest.volume.as_ref())
    {
        Change::Numbers
    } else {
        Change::Nothing
    }
}

/// Whether a guest ended one of the last [`PRESSURE_BLOCKS`] blocks at or above the threshold.
#[must_use]
pub fn is_under_pressure(status: &pod::Status) -> bool {
    let memory = &status.memory;
    memory.last_crossing_height.is_some_and(|crossing| {
        status
            .height
            .is_none_or(|height| height.saturating_sub(crossing) < PRESSURE_BLOCKS)
    })
}

/// Whether two readings of resident memory differ by more than jitter.
#[must_use]
pub fn resident_differs(a: u64, b: u64) -> bool {
    a.abs_diff(b) >= RESIDENT_STEP_BYTES
}

/// Whether two readings of a file system differ by more than what one at rest does.
#[must_use]
pub fn volume_differs(a: Option<&pod::Volume>, b: Option<&pod::Volume>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            let step = (a.capacity_bytes / 200).max(FREE_STEP_BYTES);
            a.capacity_bytes != b.capacity_bytes || a.free_bytes.abs_diff(b.free_bytes) >= step
        }
        (a, b) => a.is_some() != b.is_some(),
    }
}

fn facts(s: &pod::Status, max_behind: u32) -> impl PartialEq + '_ {
    let memory = &s.memory;
    let refreshes = &memory.refreshes;
    (
        (
            &s.phase,
            s.ready,
            s.trouble.is_some(),
            long_run(s).map(|block| (block.height, block.run, block.attempt)),
            verdict(&s.module),
            verdict(&s.source),
            &s.halt,
            &s.last_refresh_request,
        ),
        (
            refreshes.failure,
            refreshes.manual,
            refreshes.unwind,
            is_under_pressure(s),
            s.store.as_ref().is_some_and(|store| store.unfiltered_rows > 0),
        ),
        (
            memory.threshold_bytes,
            memory.limit_bytes,
            s.behind.is_some_and(|b| b <= max_behind),
            verdict(&s.seed),
        ),
        s.snapshots
            .as_ref()
            .map(|it| (verdict(&it.check), latest(it), &it.last_request)),
    )
}

fn latest(snapshots: &pod::Snapshots) -> Option<(&str, &str)> {
    let latest = snapshots.latest.as_ref()?;
    Some((&latest.url, &latest.manifest_sha256))
}

/// The message of a failed check may differ between attempts; it is published with the numbers.
fn verdict(check: &pod::Check) -> (Option<bool>, &str) {
    (check.ok, &check.reason)
}

fn numbers(s: &pod::Status) -> impl PartialEq + '_ {
    let memory = &s.memory;
    (
        (
            s.height,
            &s.block_hash,
            &s.digest,
            s.behind,
            &s.module.message,
            &s.source.message,
            &s.seed.message,
        ),
        s.snapshots.as_ref().map(|it| (&it.underway, &it.check.message)),
        (memory.guest_bytes, memory.guest_peak_bytes, memory.guest_peak_height),
        (&memory.refreshes, &memory.last_refresh),
    )
}

#[cfg(test)]
mod tests {
    use crds::{
        MAX_BEHIND,
        pod::{FaultClass, Trouble},
    };

    use super::*;
    use crate::fixtures::{following, under_way};

    type Edit = fn(&mut pod::Status);

    fn underway() -> crds::SnapshotUnderway {
        serde_json::from_value(serde_json::json!({"height": 100, "doneBytes": 1, "totalBytes": 2})).unwrap()
    }

    fn snapshot() -> crds::LatestSnapshot {
        let hash = "ab".repeat(32);
        let json = serde_json::json!({"height": 90, "blockHash": hash, "digest": hash, "url": "s3://bucket/90",
                                      "manifestSha256": hash, "bytes": 1, "time": "2026-01-01T00:00:00Z"});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn differences_are_weighed_by_what_they_mean() {
        let cases: [(&str, Edit, Change); 27] = [
            ("the same", |_| {}, Change::Nothing),
            (
                "resident memory jitters",
                |s| s.memory.resident_bytes += RESIDENT_STEP_BYTES - 1,
                Change::Nothing,
            ),
            (
                "resident memory takes a step",
                |s| s.memory.resident_bytes += RESIDENT_STEP_BYTES,
                Change::Numbers,
            ),
            (
                "a volume is at rest",
                |s| s.volume.as_mut().unwrap().free_bytes -= 1 << 20,
                Change::Nothing,
            ),
            (
                "a volume fills",
                |s| s.volume.as_mut().unwrap().free_bytes -= 1 << 28,
                Change::Numbers,
            ),
            ("a volume is not known any more", |s| s.volume = None, Change::Numbers),
            ("another pace", |s| s.blocks_per_second = Some(7.0), Change::Nothing),
            ("another tip", |s| s.tip = Some(901), Change::Nothing),
            ("a block was indexed", |s| s.height = Some(101), Change::Numbers),
            (
                "a block was refreshed for",
                |s| s.memory.refreshes.block += 1,
                Change::Numbers,
            ),
            (
                "the first crossing",
                |s| s.memory.last_crossing_height = Some(100),
                Change::Facts,
            ),
            ("no longer ready", |s| s.ready = false, Change::Facts),
            (
                "the host is short of memory",
                |s| s.trouble = Some(Trouble::now(FaultClass::Host, "no memory".into())),
                Change::Facts,
            ),
            (
                "other words of the source",
                |s| s.source.message = "again".into(),
                Change::Numbers,
            ),
            (
                "a snapshot is under way",
                |s| s.snapshots.as_mut().unwrap().underway = Some(underway()),
                Change::Numbers,
            ),
            (
                "a snapshot is there",
                |s| s.snapshots.as_mut().unwrap().latest = Some(snapshot()),
                Change::Facts,
            ),
            (
                "snapshots fail",
                |s| s.snapshots.as_mut().unwrap().check.ok = Some(false),
                Change::Facts,
            ),
            (
                "a requested snapshot is there",
                |s| s.snapshots.as_mut().unwrap().last_request = Some("1".into()),
                Change::Facts,
            ),
            (
                "an empty volume is filled further",
                |s| s.seed.message = "2 of 3 MiB".into(),
                Change::Numbers,
            ),
            (
                "an empty volume is filled with a snapshot",
                |s| s.seed.reason = "Restoring".into(),
                Change::Facts,
            ),
            ("source lost", |s| s.source.ok = Some(false), Change::Facts),
            ("a block was retried", |s| s.memory.refreshes.failure = 1, Change::Facts),
            ("blocks were undone", |s| s.memory.refreshes.unwind = 1, Change::Facts),
            (
                "a request was carried out",
                |s| s.last_refresh_request = Some("1".into()),
                Change::Facts,
            ),
            (
                "a block runs for 59 s",
                |s| s.block_under_way = Some(under_way(59)),
                Change::Nothing,
            ),
            (
                "a block runs for a minute",
                |s| s.block_under_way = Some(under_way(60)),
                Change::Facts,
            ),
            (
                "a new threshold is in force",
                |s| s.memory.threshold_bytes = 1,
                Change::Facts,
            ),
        ];
        for (name, edit, expected) in cases {
            let mut shown = following(100);
            shown.snapshots = Some(pod::Snapshots::default());
            let mut latest = shown.clone();
            edit(&mut latest);
            let shown = Sample::Answer(Box::new(shown));
            assert_eq!(
                change(&shown, &Sample::Answer(Box::new(latest)), MAX_BEHIND),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn how_long_a_long_run_has_taken_is_no_news() {
        let running = |seconds| {
            let mut status = following(100);
            status.block_under_way = Some(under_way(seconds));
            Sample::Answer(Box::new(status))
        };
        assert_eq!(change(&running(60), &running(7_200), MAX_BEHIND), Change::Nothing);
    }

    #[test]
    fn one_more_crossing_is_less_urgent_than_the_first() {
        let mut shown = following(120);
        shown.memory.last_crossing_height = Some(100);
        let mut latest = following(121);
        latest.memory.last_crossing_height = Some(121);
        let found = change(
            &Sample::Answer(Box::new(shown)),
            &Sample::Answer(Box::new(latest)),
            MAX_BEHIND,
        );
        assert_eq!(found, Change::Crossing);
        assert!(!found.is_due(CROSSING_INTERVAL - Duration::from_millis(1)));
        assert!(found.is_due(CROSSING_INTERVAL));
    }

    #[test]
    fn falling_silent_is_news_and_staying_silent_is_not() {
        let answer = Sample::Answer(Box::new(following(100)));
        let refused = Sample::Silent("connection refused".into());
        let timeout = Sample::Silent("timed out".into());
        assert_eq!(change(&answer, &refused, MAX_BEHIND), Change::Facts);
        assert_eq!(change(&refused, &answer, MAX_BEHIND), Change::Facts);
        assert_eq!(change(&refused, &timeout, MAX_BEHIND), Change::Nothing);
    }

    #[test]
    fn pressure_ends_a_hundred_blocks_after_the_last_crossing() {
        let cases = [
            (None, 500, false),
            (Some(400), 400, true),
            (Some(400), 499, true),
            (Some(400), 500, false),
        ];
        for (crossing, height, pressure) in cases {
            let mut status = following(height);
            status.memory.last_crossing_height = crossing;
            assert_eq!(is_under_pressure(&status), pressure, "{crossing:?} at {height}");
        }
    }

    #[test]
    fn falling_behind_is_a_fact_where_the_spec_says_that_it_begins() {
        let behind = |blocks: u32| {
            let mut status = following(100);
            status.behind = Some(blocks);
            Sample::Answer(Box::new(status))
        };
        for (from, to, max_behind, expected) in [
            (2, 3, 2, Change::Facts),
            (2, 3, 10, Change::Numbers),
            (10, 11, 10, Change::Facts),
        ] {
            let found = change(&behind(from), &behind(to), max_behind);
            assert_eq!(found, expected, "{from} to {to} of {max_behind}");
        }
    }

    #[test]
    fn numbers_wait_and_facts_do_not() {
        assert!(!Change::Nothing.is_due(Duration::from_secs(3600)));
        assert!(!Change::Numbers.is_due(NUMBERS_INTERVAL - Duration::from_millis(1)));
        assert!(Change::Numbers.is_due(NUMBERS_INTERVAL));
        assert!(Change::Facts.is_due(Duration::ZERO));
    }
}
