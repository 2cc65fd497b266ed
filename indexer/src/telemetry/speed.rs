//! How fast blocks are indexed, and when that reaches the tip.

use std::time::{Duration, Instant};

/// Blocks count for about so long. They are committed up to a second's worth at once, which then moves the speed by a
/// thirtieth; and a sync that slows down shows it within a minute.
const MEMORY: Duration = Duration::from_secs(30);
/// A speed is known after so long: a few commits of whole batches.
const MEASURED_MIN: Duration = Duration::from_secs(5);
/// No forecast reaches further than a year.
const SECONDS_LEFT_MAX: u64 = 366 * 24 * 3600;

/// Blocks per second: an average in which a block counts less the longer ago it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    began_at: Instant,
    counted_at: Instant,
    /// The sum of what the blocks counted for at `counted_at`.
    blocks: f64,
}

impl Speed {
    /// Nothing is known, and what came before `now` will not count as time without blocks.
    pub(super) fn measured_from(now: Instant) -> Self {
        Self {
            began_at: now,
            counted_at: now,
            blocks: 0.0,
        }
    }

    /// So many more blocks are in the index.
    pub(super) fn count(&mut self, blocks: u32, now: Instant) {
        self.blocks = self.blocks_at(now) + f64::from(blocks);
        self.counted_at = now;
    }

    /// The average, to two decimals; none while it was not measured for long enough.
    pub(super) fn blocks_per_second(&self, now: Instant) -> Option<f64> {
        let measured = now.saturating_duration_since(self.began_at);
        // What all moments since the beginning count for, so that the first ones have their full share.
        let seconds = MEMORY.as_secs_f64() * (1.0 - weight(measured));
        let speed = || (self.blocks_at(now) / seconds * 100.0).round() / 100.0;
        (measured >= MEASURED_MIN).then(speed)
    }

    fn blocks_at(&self, now: Instant) -> f64 {
        self.blocks * weight(now.saturating_duration_since(self.counted_at))
    }
}

/// The time that so many blocks take at a speed; none if that is beyond any forecast.
pub(super) fn seconds_left(blocks: u32, blocks_per_second: f64) -> Option<u64> {
    let seconds = (f64::from(blocks) / blocks_per_second).ceil();
    // Refuses infinity, which is what standing still gives.
    let left = Duration::try_from_secs_f64(seconds).ok()?.as_secs();
    (left <= SECONDS_LEFT_MAX).then_some(left)
}

/// What a moment so long ago counts for.
fn weight(age: Duration) -> f64 {
    (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The speed at every tenth of the seconds after `from`, where so many blocks come at once every so often.
    fn speeds(blocks: u32, every: Duration, from: u32, to: u32) -> Vec<Option<f64>> {
        let start = Instant::now();
        let mut speed = Speed::measured_from(start);
        let mut next = start + every;
        let mut shown = Vec::new();
        for tenth in 1..=to * 10 {
            let now = start + Duration::from_millis(100) * tenth;
            while next <= now {
                speed.count(blocks, next);
                next += every;
            }
            if tenth > from * 10 {
                shown.push(speed.blocks_per_second(now));
            }
        }
        shown
    }

    #[test]
    fn a_steady_pace_shows_as_it_is_from_the_first_moment_on_however_it_is_batched() {
        for (blocks, millis) in [(1, 100), (10, 1_000), (3, 300)] {
            for speed in speeds(blocks, Duration::from_millis(millis), 5, 100) {
                let speed = speed.unwrap();
                assert!((8.0..12.0).contains(&speed), "{blocks} in {millis} ms: {speed}");
            }
        }
    }

    #[test]
    fn a_batch_at_once_moves_it_little() {
        let speeds = speeds(2_000, Duration::from_secs(1), 60, 90);
        let (low, high) = speeds.iter().flatten().fold((f64::MAX, 0.0_f64), |(low, high), speed| {
            (low.min(*speed), high.max(*speed))
        });
        assert!(low > 1_900.0 && high < 2_100.0, "{low} to {high}");
    }

    #[test]
    fn it_is_unknown_at_first_and_falls_when_no_block_comes() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut speed = Speed::measured_from(start);
        speed.count(100, after(1));
        assert_eq!(speed.blocks_per_second(after(4)), None);
        for second in 2..=60 {
            speed.count(100, after(second));
        }
        let at = |seconds| speed.blocks_per_second(after(seconds)).unwrap();
        assert!((95.0..105.0).contains(&at(60)), "{}", at(60));
        assert!((30.0..45.0).contains(&at(90)), "{}", at(90));
        assert_eq!(at(1_000), 0.0);
    }

    #[test]
    fn the_time_left_is_what_the_blocks_take_and_none_without_an_end() {
        let cases = [
            (100, 10.0, Some(10)),
            (1, 0.4, Some(3)),
            (1, 0.0, None),
            (u32::MAX, 0.01, None),
            (0, 0.0, None),
            (0, 1.0, Some(0)),
        ];
        for (blocks, speed, expected) in cases {
            assert_eq!(seconds_left(blocks, speed), expected, "{blocks} at {speed}");
        }
    }
}
