//! How fast guests may log, all runs of a process together: a thousand blocks a second that log a little each fill a
//! disk as well as one that never stops.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Bytes a second, in the long run: 5.5 GB a day, which log rotation copes with.
const BYTES_PER_SECOND: u64 = 64 << 10;
/// Bytes at once: four runs that log all a run may.
const BURST_BYTES: u64 = 256 << 10;

/// What may be logged now. Time decides what is shown and never what a guest does.
#[derive(Debug, Default)]
pub(super) struct LogRate(Mutex<Bucket>);

#[derive(Debug, Default)]
struct Bucket {
    /// What was logged and is not yet made up for by time.
    filled_bytes: u64,
    /// When that was computed; none before the first line.
    at: Option<Instant>,
    /// Lines left out since the last one that was shown.
    left_out: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is shown, and so many before it were not.
    Shown { left_out: u64 },
    /// It is left out, as the first one or not.
    LeftOut { is_first: bool },
}

impl LogRate {
    /// Whether a line of so many bytes is to be shown. Says once that lines are left out, and afterwards how many.
    pub(super) fn admits(&self, bytes: usize, now: Instant) -> bool {
        // Nothing in between can panic.
        let verdict = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(bytes as u64, now);
        match verdict {
            Verdict::Shown { left_out: 0 } => true,
            Verdict::Shown { left_out } => {
                tracing::warn!(target: "guest", left_out, "lines of guests were left out");
                true
            }
            Verdict::LeftOut { is_first: true } => {
                tracing::warn!(
                    target: "guest",
                    "guests log more than {BYTES_PER_SECOND} bytes a second; lines are left out"
                );
                false
            }
            Verdict::LeftOut { is_first: false } => false,
        }
    }
}

impl Bucket {
    fn take(&mut self, bytes: u64, now: Instant) -> Verdict {
        let since = self.at.map_or(0, |at| {
            u64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u64::MAX)
        });
        let drained_bytes = since.saturating_mul(BYTES_PER_SECOND) / 1000;
        // Looks closer together than what a byte takes must not lose that time.
        if drained_bytes > 0 || self.at.is_none() {
            self.filled_bytes = self.filled_bytes.saturating_sub(drained_bytes);
            self.at = Some(now);
        }
        // Once full, a tenth must be free again: a line here and one there would only be confusing.
        let bound_bytes = if self.left_out > 0 {
            BURST_BYTES / 10 * 9
        } else {
            BURST_BYTES
        };
        if self.filled_bytes + bytes > bound_bytes {
            self.left_out += 1;
            return Verdict::LeftOut {
                is_first: self.left_out == 1,
            };
        }
        self.filled_bytes += bytes;
        Verdict::Shown {
            left_out: std::mem::take(&mut self.left_out),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_shown_and_then_only_what_the_rate_allows() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        for _ in 0..256 {
            assert_eq!(bucket.take(1024, start), Verdict::Shown { left_out: 0 });
        }
        assert_eq!(bucket.take(1024, start), Verdict::LeftOut { is_first: true });
        assert_eq!(bucket.take(1024, start), Verdict::LeftOut { is_first: false });
        let mut shown = 0;
        for ms in 1..=10_000 {
            let verdict = bucket.take(1024, start + Duration::from_millis(ms));
            shown += u64::from(matches!(verdict, Verdict::Shown { .. }));
        }
        let allowed = 10 * BYTES_PER_SECOND / 1024;
        assert!((allowed * 8 / 10..=allowed).contains(&shown), "{shown} of {allowed}");
    }

    #[test]
    fn what_was_left_out_is_counted_with_the_next_line_shown() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        bucket.take(BURST_BYTES, start);
        for _ in 0..3 {
            bucket.take(64, start);
        }
        let later = start + Duration::from_secs(60);
        assert_eq!(bucket.take(64, later), Verdict::Shown { left_out: 3 });
        assert_eq!(bucket.take(64, later), Verdict::Shown { left_out: 0 });
    }
}
