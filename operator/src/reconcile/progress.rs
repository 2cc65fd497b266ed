//! (pure) How a candidate gets on, from pass to pass: how long it has indexed nothing although it could, and since when
//! it is healthy.
//!
//! This is the memory of one process. A process that just started has seen nothing yet, so it begins anew: time in which
//! no operator ran counts neither against a candidate nor in its favour.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// What is seen of a candidate in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The highest block that one of its pods has indexed; none if no pod reports.
    pub(super) height: Option<u32>,
    /// The highest tip that any pod of the Indexer reports; none if no pod reports one.
    pub(super) tip: Option<u32>,
    /// Whether a pod is being filled with a copy: that takes as long as it takes, and there is no height meanwhile.
    pub(super) is_copying: bool,
    /// Whether all pods are ready, caught up and agree.
    pub(super) is_healthy: bool,
}

/// What is known of a candidate from all passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    height: Option<u32>,
    tip: Option<u32>,
    /// Whether there were blocks to index when it was last looked at.
    has_work: bool,
    idle: Duration,
    looked_at: Timestamp,
    healthy_since: Option<Timestamp>,
}

impl Progress {
    /// Before the first look.
    pub(super) fn begun(now: Timestamp) -> Self {
        Self {
            height: None,
            tip: None,
            has_work: false,
            idle: Duration::ZERO,
            looked_at: now,
            healthy_since: None,
        }
    }

    /// Notes one more look.
    pub(super) fn note(&mut self, seen: Seen, now: Timestamp) {
        let elapsed = Duration::try_from(now.duration_since(self.looked_at)).unwrap_or_default();
        self.tip = seen.tip.or(self.tip);
        let reached = seen.height.or(self.height);
        // Without a tip nobody knows whether there are blocks; a candidate without a block lacks the first one.
        let is_at_tip = self.tip.zip(reached).is_some_and(|(tip, height)| height >= tip);
        let has_work = !is_at_tip && !seen.is_copying;
        if seen.height > self.height || !has_work {
            self.idle = Duration::ZERO;
        } else if self.has_work {
            self.idle = self.idle.saturating_add(elapsed);
        }
        self.height = self.height.max(seen.height);
        self.has_work = has_work;
        self.looked_at = now;
        self.healthy_since = seen.is_healthy.then(|| self.healthy_since.unwrap_or(now));
    }

    /// For how long there were blocks to index and none was indexed.
    pub(super) fn idle(&self) -> Duration {
        self.idle
    }

    /// Since when it is healthy, without a break that was seen.
    pub(super) fn healthy_since(&self) -> Option<Timestamp> {
        self.healthy_since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(height: Option<u32>, tip: Option<u32>) -> Seen {
        Seen {
            height,
            tip,
            ..Seen::default()
        }
    }

    #[test]
    fn only_time_with_blocks_to_index_counts_as_idle() {
        // Name, looks as (second, height, tip), idle seconds after the last one.
        type Looks<'a> = &'a [(i64, Option<u32>, Option<u32>)];
        let cases: [(&str, Looks<'_>, u64); 10] = [
            ("the first look", &[(0, None, None)], 0),
            ("it never reports", &[(0, None, None), (700, None, None)], 700),
            (
                "it indexes nothing",
                &[
                    (0, Some(5), Some(100)),
                    (300, Some(5), Some(100)),
                    (700, Some(5), Some(101)),
                ],
                700,
            ),
            (
                "it indexes",
                &[
                    (0, Some(5), Some(100)),
                    (300, Some(5), Some(100)),
                    (700, Some(6), Some(100)),
                ],
                0,
            ),
            (
                "it is caught up, eleven minutes after the last block, and falls silent for a moment",
                &[(0, Some(100), Some(100)), (660, None, Some(100))],
                0,
            ),
            (
                "it and all others fall silent",
                &[(0, Some(100), Some(100)), (660, None, None), (700, None, None)],
                0,
            ),
            (
                "it is caught up, and a block comes that it does not index",
                &[
                    (0, Some(100), Some(100)),
                    (660, Some(100), Some(101)),
                    (700, Some(100), Some(101)),
                ],
                40,
            ),
            (
                "it is silent while others see a block",
                &[
                    (0, Some(100), Some(100)),
                    (660, None, Some(101)),
                    (1300, None, Some(101)),
                ],
                640,
            ),
            (
                "a reorganisation takes a block away",
                &[
                    (0, Some(100), Some(100)),
                    (10, Some(99), Some(100)),
                    (20, Some(99), Some(100)),
                ],
                10,
            ),
            ("it knows no tip", &[(0, Some(5), None), (700, Some(5), None)], 700),
        ];
        for (name, looks, expected) in cases {
            let mut progress = Progress::begun(at(0));
            for (second, height, tip) in looks {
                progress.note(seen(*height, *tip), at(*second));
            }
            assert_eq!(progress.idle().as_secs(), expected, "{name}");
        }
    }

    #[test]
    fn copying_is_not_idleness() {
        let copying = Seen {
            is_copying: true,
            ..seen(None, Some(100))
        };
        let mut progress = Progress::begun(at(0));
        for (second, look, idle) in [
            (0, copying, 0),
            (7_200, copying, 0),
            (7_210, seen(None, Some(100)), 0),
            (7_230, seen(None, Some(100)), 20),
        ] {
            progress.note(look, at(second));
            assert_eq!(progress.idle().as_secs(), idle, "{second}");
        }
    }

    #[test]
    fn health_counts_from_the_first_look_that_sees_it_and_ends_with_one_that_does_not() {
        let mut progress = Progress::begun(at(0));
        for (second, is_healthy, since) in [
            (10, false, None),
            (20, true, Some(20)),
            (50, true, Some(20)),
            (60, false, None),
            (70, true, Some(70)),
        ] {
            let look = Seen {
                is_healthy,
                ..Seen::default()
            };
            progress.note(look, at(second));
            assert_eq!(progress.healthy_since(), since.map(at), "{second}");
        }
    }
}
