//! How often a status is written, whatever makes it change.
//!
//! Most that moves is shown at its own pace already, see [`crate::facts::change`]. What is left, a pod whose readiness
//! flaps say, must not become a write every few seconds for as long as it lasts.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::{Comparison, IndexerStatus, Revision};

use crate::objects::Key;

/// Writes that may follow each other without a pause. A rollout of two revisions of two pods takes some fifteen.
const BURST: u32 = 30;
/// After this long there is room for one more.
const INTERVAL: Duration = Duration::from_secs(10);

/// Room for writes, by Indexer.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<Key, Room>>);

#[derive(Debug)]
struct Room {
    /// When there will be room for a whole burst again.
    full_at: Instant,
    /// What was shown last.
    subject: Subject,
}

/// What a status is about. Another subject is always shown at once: it is a person's doing, or a step of a rollout, and
/// later passes would not show that step again.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Subject {
    generation: i64,
    active: Option<Revision>,
    candidate: Option<Revision>,
    comparison: Option<Comparison>,
}

impl Subject {
    pub(super) fn of(status: &IndexerStatus) -> Self {
        Self {
            generation: status.observed_generation,
            active: status.active.as_ref().map(|active| active.revision.clone()),
            candidate: status.candidate.as_ref().map(|candidate| candidate.revision.clone()),
            comparison: status.comparison.clone(),
        }
    }
}

impl Pace {
    /// Takes room for a write of a status about this subject.
    ///
    /// # Errors
    /// How long to wait until there is room.
    pub(super) fn take(&self, key: &Key, subject: Subject, now: Instant) -> Result<(), Duration> {
        let mut rooms = self.rooms();
        let room = rooms.entry(key.clone()).or_insert(Room {
            full_at: now,
            subject: subject.clone(),
        });
        let full_at = room.full_at.max(now) + INTERVAL;
        let wait = full_at.duration_since(now).saturating_sub(INTERVAL * BURST);
        if !wait.is_zero() && room.subject == subject {
            return Err(wait);
        }
        *room = Room { full_at, subject };
        Ok(())
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.rooms().remove(key);
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<Key, Room>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::key;

    #[test]
    fn what_flaps_every_two_seconds_is_written_every_ten() {
        let (pace, start) = (Pace::default(), Instant::now());
        let about = |generation| Subject {
            generation,
            ..Subject::default()
        };
        let take = |second: u64, generation| pace.take(&key(), about(generation), start + Duration::from_secs(second));
        let written = (0..300).step_by(2).filter(|second| take(*second, 1).is_ok());
        // A burst, and one every 10 s.
        assert_eq!(written.count(), 30 + 29);
        assert_eq!(
            take(299, 1),
            Err(Duration::from_secs(1)),
            "the next one has room at 300 s"
        );
        assert_eq!(take(299, 2), Ok(()), "another spec");
        assert_eq!(take(299, 2), Err(Duration::from_secs(11)));
        assert_eq!(take(310, 2), Ok(()));
        let burst = (0..50).filter(|_| take(3_600, 2).is_ok());
        assert_eq!(burst.count(), 30, "room is kept for one burst only");
    }

    #[test]
    fn a_step_of_a_rollout_is_shown_at_once() {
        let (pace, now) = (Pace::default(), Instant::now());
        let step = |revision: &str| Subject {
            candidate: Revision::parse(revision),
            ..Subject::default()
        };
        while pace.take(&key(), step("aaaaaaaaaa"), now).is_ok() {}
        assert_eq!(pace.take(&key(), step("bbbbbbbbbb"), now), Ok(()));
    }
}
