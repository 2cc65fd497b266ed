//! How far a sync was at which time.

/// Seconds, and blocks that had been run by then; in the order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Vec<(f64, f64)>);

impl Progress {
    pub(crate) fn add(&mut self, seconds: f64, blocks: f64) {
        self.0.push((seconds, blocks));
    }

    /// Blocks run at the last look.
    pub(crate) fn blocks(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, blocks)| *blocks)
    }

    /// Milliseconds a block between two numbers of blocks that were passed.
    pub(crate) fn ms_a_block(&self, from: u32, to: u32) -> f64 {
        (self.seconds_at(to.into()) - self.seconds_at(from.into())) * 1e3 / f64::from(to - from)
    }

    /// When so many blocks had been run, by a straight line between two looks.
    fn seconds_at(&self, blocks: f64) -> f64 {
        let after = self.0.iter().position(|(_, run)| *run >= blocks);
        let after = after.expect("a number of blocks that was passed");
        let (at, run) = self.0[after];
        match after.checked_sub(1).map(|before| self.0[before]) {
            Some((earlier, fewer)) if run > fewer => earlier + (at - earlier) * (blocks - fewer) / (run - fewer),
            _ => at,
        }
    }
}
