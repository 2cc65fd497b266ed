//! How often a status is written, whatever makes it change.
//!
//! Most that moves is shown at its own pace already, see [`crate::facts::change`]. What is left, a pod whose readiness
//! flaps say, must not become a write every few seconds for as long as it lasts.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::objects::Key;

/// Writes that may follow each other without a pause: more than the steps of a rollout of a few pods take.
const BURST: u32 = 10;
/// After this long there is room for one more.
const INTERVAL: Duration = Duration::from_secs(10);

/// Room for writes, by Indexer.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<Key, Room>>);

#[derive(Debug)]
struct Room {
    /// When there will be room for a whole burst again.
    full_at: Instant,
    /// The generation that was shown last.
    generation: i64,
}

impl Pace {
    /// Takes room for a write of a status that speaks of this generation. A new generation is always shown at once: it is
    /// a person's doing.
    ///
    /// # Errors
    /// How long to wait until there is room.
    pub(super) fn take(&self, key: &Key, generation: i64, now: Instant) -> Result<(), Duration> {
        let mut rooms = self.rooms();
        let room = rooms.entry(key.clone()).or_insert(Room {
            full_at: now,
            generation,
        });
        let full_at = room.full_at.max(now) + INTERVAL;
        let wait = full_at.duration_since(now).saturating_sub(INTERVAL * BURST);
        if !wait.is_zero() && room.generation == generation {
            return Err(wait);
        }
        *room = Room { full_at, generation };
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
        let take = |second: u64, generation| pace.take(&key(), generation, start + Duration::from_secs(second));
        let written = (0..300).step_by(2).filter(|second| take(*second, 1).is_ok());
        // A burst, and one every 10 s.
        assert_eq!(written.count(), 10 + 29);
        assert_eq!(
            take(299, 1),
            Err(Duration::from_secs(1)),
            "the next one has room at 300 s"
        );
        assert_eq!(take(299, 2), Ok(()), "another spec");
        assert_eq!(take(299, 2), Err(Duration::from_secs(11)));
        assert_eq!(take(310, 2), Ok(()));
        let burst = (0..20).filter(|_| take(3_600, 2).is_ok());
        assert_eq!(burst.count(), 10, "room is kept for one burst only");
    }
}
