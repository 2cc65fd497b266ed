//! A bound on the bytes per second that go to or come from a storage.

use std::{num::NonZeroU64, thread, time::Duration};

use tokio::time::Instant;

/// Files are hashed before they are uploaded, this many times as fast: most of the time goes to what the bound is on, and
/// no disk is read as fast as it can.
const HASHING: NonZeroU64 = NonZeroU64::new(4).unwrap();

/// A bound on bytes per second, on average from piece to piece; or none.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<NonZeroU64>,
    /// When what was let through so far is paid for.
    free_at: Option<Instant>,
}

impl Pace {
    /// At most so many bytes per second; none: no bound.
    #[must_use]
    pub fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self {
            bytes_per_second,
            free_at: None,
        }
    }

    /// Waits until so many bytes more may pass.
    pub async fn take(&mut self, bytes: u64) {
        if let Some(at) = self.due(Instant::now(), bytes) {
            tokio::time::sleep_until(at).await;
        }
    }

    /// That of reading what is going to be sent.
    pub(super) fn of_hashing(&self) -> Self {
        Self::new(self.bytes_per_second.map(|rate| rate.saturating_mul(HASHING)))
    }

    /// As [`Self::take`], on a thread that may wait.
    pub(super) fn take_blocking(&mut self, bytes: u64) {
        let now = Instant::now();
        if let Some(at) = self.due(now, bytes) {
            thread::sleep(at - now);
        }
    }

    /// When so many bytes more may pass; none: now. Time in which nothing was asked for is not saved up.
    fn due(&mut self, now: Instant, bytes: u64) -> Option<Instant> {
        let rate = self.bytes_per_second?.get();
        let at = self.free_at.map_or(now, |free_at| free_at.max(now));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
        self.free_at = Some(at + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        (at > now).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_paid_for_before_the_next() {
        let mut pace = Pace::new(NonZeroU64::new(1_000));
        let start = Instant::now();
        let seconds = |n| Some(start + Duration::from_secs(n));
        assert_eq!(pace.due(start, 2_000), None);
        assert_eq!(pace.due(start, 500), seconds(2));
        assert_eq!(pace.due(start, 500), Some(start + Duration::from_millis(2_500)));
        // A pause is no credit.
        assert_eq!(pace.due(start + Duration::from_secs(60), 5_000), None);
        assert_eq!(pace.due(start + Duration::from_secs(60), 1), seconds(65));
        assert_eq!(Pace::new(None).due(start, u64::MAX), None);
    }

    #[test]
    fn hashing_is_bounded_where_uploads_are() {
        let start = Instant::now();
        let mut hashing = Pace::new(NonZeroU64::new(1_000)).of_hashing();
        assert_eq!(hashing.due(start, 8_000), None);
        assert_eq!(hashing.due(start, 1), Some(start + Duration::from_secs(2)));
        assert_eq!(Pace::new(None).of_hashing().due(start, u64::MAX), None);
    }
}
