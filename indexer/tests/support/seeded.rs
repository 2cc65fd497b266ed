//! Random choices that can be made again: `SHREWD_SEED` repeats a run whose seed a failed test printed.
#![allow(dead_code)] // Each test program compiles this for itself and uses a part.
#![allow(clippy::expect_used)] // Tests, though the lints do not see it.

use std::{
    env,
    ops::RangeInclusive,
    time::{SystemTime, UNIX_EPOCH},
};

/// A stream of choices (`SplitMix64`).
pub(crate) struct Seeded(u64);

impl Seeded {
    /// From `SHREWD_SEED` or else from the clock; prints which.
    pub(crate) fn from_env() -> Self {
        let seed = match env::var("SHREWD_SEED") {
            Ok(seed) => seed.parse().expect("SHREWD_SEED is a number"),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::from(since.subsec_nanos()) ^ since.as_secs()),
        };
        println!("seed {seed}: SHREWD_SEED={seed} makes the same choices again");
        Self(seed)
    }

    /// With a seed of the test's own.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another stream, given by this one.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of these numbers.
    pub(crate) fn one_of(&mut self, range: RangeInclusive<u64>) -> u64 {
        let count = range.end() - range.start() + 1;
        range.start() + self.next() % count
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.one_of(1..=100) <= chance
    }
}
