//! What is known of one pod that is polled.

use std::time::{Duration, Instant};

use super::steadiness::Steadiness;
use crate::facts::Sample;

/// Between two samples of a pod that starts, syncs, waits or fails.
pub(super) const UNSETTLED_INTERVAL: Duration = Duration::from_secs(2);
/// Between two samples of a pod that sits at the tip. A third of the 15 s in which a crossing must be shown.
pub(super) const SETTLED_INTERVAL: Duration = Duration::from_secs(5);
/// One failed request of a pod that answered before is no fact yet: a busy node loses one now and then.
const FAILURES_UNTIL_SILENT: u32 = 2;
/// After this long a request that was never answered nor failed is taken for lost: five times its timeout.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Polled {
    latest: Sample,
    shown: Sample,
    failures: u32,
    due: Instant,
    source: Steadiness,
}

impl Polled {
    pub(super) fn new(sample: Sample, now: Instant) -> Self {
        let mut polled = Self {
            due: now,
            shown: Sample::NotRunning,
            latest: Sample::NotRunning,
            failures: if sample.answer().is_some() {
                0
            } else {
                FAILURES_UNTIL_SILENT
            },
            source: Steadiness::default(),
        };
        polled.keep(sample, now);
        polled.show();
        polled
    }

    pub(super) fn note(&mut self, asked: Result<Sample, String>, now: Instant) {
        match asked {
            Ok(sample) => {
                self.failures = 0;
                self.keep(sample, now);
            }
            Err(why) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES_UNTIL_SILENT {
                    self.latest = Sample::Silent(why);
                }
                self.due = now + interval(&self.latest, self.failures);
            }
        }
    }

    fn keep(&mut self, mut sample: Sample, now: Instant) {
        if let Sample::Answer(status) = &mut sample {
            self.source.steady(status, now);
        }
        self.due = now + interval(&sample, self.failures);
        self.latest = sample;
    }

    /// Notes that a request is on its way.
    pub(super) fn note_request(&mut self, now: Instant) {
        self.due = now + LOST_AFTER;
    }

    /// Notes that the reconciler has seen the latest sample.
    pub(super) fn show(&mut self) {
        self.shown = self.latest.clone();
    }

    pub(super) fn latest(&self) -> &Sample {
        &self.latest
    }

    pub(super) fn shown(&self) -> &Sample {
        &self.shown
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due <= now
    }

    /// Whether the next request will probably take its whole timeout.
    pub(super) fn is_silent(&self) -> bool {
        self.latest.answer().is_none()
    }
}

fn interval(latest: &Sample, failures: u32) -> Duration {
    if failures == 0 && latest.is_settled() {
        SETTLED_INTERVAL
    } else {
        UNSETTLED_INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::following;

    fn answer(height: u32) -> Sample {
        Sample::Answer(Box::new(following(height)))
    }

    #[test]
    fn one_failed_request_is_no_fact_and_two_are() {
        let now = Instant::now();
        let mut polled = Polled::new(answer(100), now);
        assert_eq!(polled.due(), now + SETTLED_INTERVAL);
        polled.note(Err("no answer in time".into()), now);
        assert_eq!(polled.latest, answer(100));
        assert_eq!(polled.due(), now + UNSETTLED_INTERVAL);
        polled.note(Err("no answer in time".into()), now);
        assert_eq!(polled.latest, Sample::Silent("no answer in time".into()));
        polled.note(Ok(answer(101)), now);
        assert_eq!(polled.latest, answer(101));
    }
}
