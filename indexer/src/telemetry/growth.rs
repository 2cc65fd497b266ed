//! How fast a volume fills.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Between two samples that are kept: 144 of a day.
const KEPT_EVERY: Duration = Duration::from_secs(600);
/// What is seen in less time is what merges write and remove again.
const SEEN_AT_LEAST: Duration = Duration::from_secs(600);

/// Bytes that were taken of a volume, over the last day at most.
#[derive(Debug, Default)]
pub struct Growth {
    /// The oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl Growth {
    /// So many bytes are taken now. Gives the bytes a day by which that grew since the oldest sample; none before there
    /// is one of ten minutes ago. What became less did not grow.
    pub fn add(&mut self, now: Instant, taken_bytes: u64) -> Option<u64> {
        while self
            .samples
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > DAY)
        {
            self.samples.pop_front();
        }
        if self
            .samples
            .back()
            .is_none_or(|(at, _)| now.duration_since(*at) >= KEPT_EVERY)
        {
            self.samples.push_back((now, taken_bytes));
        }
        let (since, before) = *self.samples.front()?;
        let seen = now.duration_since(since);
        if seen < SEEN_AT_LEAST {
            return None;
        }
        let grown = u128::from(taken_bytes.saturating_sub(before));
        let a_day = grown * DAY.as_millis() / seen.as_millis().max(1);
        Some(u64::try_from(a_day).unwrap_or(u64::MAX))
    }
}

/// Days until a volume is full at that pace; none if it does not grow.
#[must_use]
pub fn days_left(free_bytes: u64, growth_per_day_bytes: u64) -> Option<f64> {
    (growth_per_day_bytes > 0).then(|| free_bytes as f64 / growth_per_day_bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_that_of_the_last_day() {
        let (mut growth, start) = (Growth::default(), Instant::now());
        let mut at = |minutes: u64, bytes| growth.add(start + Duration::from_secs(60 * minutes), bytes);
        assert_eq!(at(0, 1000), None);
        assert_eq!(at(9, 2000), None);
        assert_eq!(at(10, 2000), Some(144_000));
        // A merge removed more than was written.
        assert_eq!(at(20, 500), Some(0));
        // A day later what came first is forgotten: of these, 100 bytes in ten minutes remain.
        for minutes in (30..1440).step_by(10) {
            at(minutes, 2000);
        }
        assert_eq!(at(2000, 2000), Some(0));
        assert_eq!(at(2870, 2100), Some(100 * 144 * 10 / 1430));
    }

    #[test]
    fn a_volume_that_does_not_grow_is_never_full() {
        let cases = [(100, 0, None), (100, 50, Some(2.0)), (0, 50, Some(0.0))];
        for (free, growth, days) in cases {
            assert_eq!(days_left(free, growth), days);
        }
    }
}
