//! How far it is, for whoever watches: a bar on a terminal, a line now and then elsewhere.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crds::pod::Status;
use indicatif::{ProgressBar, ProgressStyle};

use crate::telemetry::report::Report;

/// A line after so many blocks.
const LINE_EVERY_BLOCKS: u64 = 1_000;
/// And after so long in a run of blocks that is slower.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The eye does not follow a bar that moves more often.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// What the bar shows beside itself.
const TEMPLATE: &str = "{wide_bar:.cyan/blue} {human_pos}/{human_len} {per_sec}, eta {eta}, {msg}";

/// Told of every block; decides by itself when to show it.
pub struct Progress {
    bar: ProgressBar,
    pace: Mutex<Pace>,
}

/// When something was shown last.
struct Pace {
    blocks_since_line: u64,
    line_at: Instant,
    drawn_at: Instant,
}

/// What one block gives reason to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Due {
    /// To write a log line for so many blocks in so long.
    line: Option<(u64, Duration)>,
    /// To draw the bar.
    draw: bool,
}

impl Progress {
    /// Draws with `bar`, which may be hidden.
    #[must_use]
    pub fn new(bar: ProgressBar) -> Self {
        bar.set_style(style());
        Self {
            bar,
            pace: Mutex::new(Pace::new(Instant::now())),
        }
    }

    /// One more block is in the index. Cheap enough for every block: the report is read only when something is shown.
    pub fn observe(&self, report: &Report) {
        let due = self
            .pace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .block(Instant::now());
        let draw = due.draw && !self.bar.is_hidden();
        if due.line.is_none() && !draw {
            return;
        }
        let status = report.status();
        if draw {
            self.draw(&status);
        }
        if let Some((blocks, took)) = due.line {
            log(&status, blocks, took);
        }
    }

    /// Leaves the bar as it stands, for the lines of the end.
    pub fn finish(&self) {
        self.bar.abandon();
    }

    fn draw(&self, status: &Status) {
        let height = status.height.unwrap_or(0);
        if self.bar.length().is_none() {
            // Only the way from here on counts for the pace that is shown.
            self.bar.reset_eta();
            self.bar.set_position(u64::from(height));
            self.bar.reset_elapsed();
        }
        self.bar.set_length(u64::from(status.tip.unwrap_or(0).max(height)));
        self.bar.set_position(u64::from(height));
        let memory = &status.memory;
        self.bar.set_message(format!(
            "guest {} of {} MB, {} refreshes",
            megabytes(memory.guest_bytes),
            megabytes(memory.threshold_bytes),
            memory.refreshes.total()
        ));
    }
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self {
            blocks_since_line: 0,
            line_at: now,
            drawn_at: now,
        }
    }

    /// What is due now that one more block is in the index.
    fn block(&mut self, now: Instant) -> Due {
        self.blocks_since_line += 1;
        let mut due = Due::default();
        let since_line = now.saturating_duration_since(self.line_at);
        if self.blocks_since_line >= LINE_EVERY_BLOCKS || since_line >= LINE_EVERY {
            due.line = Some((self.blocks_since_line, since_line));
            self.blocks_since_line = 0;
            self.line_at = now;
        }
        if now.saturating_duration_since(self.drawn_at) >= DRAW_EVERY {
            due.draw = true;
            self.drawn_at = now;
        }
        due
    }
}

/// Megabytes of 10^6 bytes, as Metashrew's line had them.
fn log(status: &Status, blocks: u64, took: Duration) {
    tracing::info!(
        height = status.height,
        tip = status.tip,
        blocks,
        seconds = format_args!("{:.1}", took.as_secs_f64()),
        guest_mb = megabytes(status.memory.guest_bytes),
        guest_peak_mb = megabytes(status.memory.guest_peak_bytes),
        resident_mb = megabytes(status.memory.resident_bytes),
        refreshes = status.memory.refreshes.total(),
        "indexed"
    );
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

fn style() -> ProgressStyle {
    // A test rules out that the template cannot be read.
    ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_every_thousand_blocks_when_they_are_fast() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let lines: Vec<u64> = (1..=3_500)
            .filter(|n| pace.block(start + Duration::from_millis(*n)).line.is_some())
            .collect();
        assert_eq!(lines, [1_000, 2_000, 3_000]);
    }

    #[test]
    fn a_line_comes_every_ten_seconds_when_they_are_slow() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let lines: Vec<u64> = (1..=20)
            .filter(|n| pace.block(start + Duration::from_secs(2 * n)).line.is_some())
            .collect();
        assert_eq!(lines, [5, 10, 15, 20]);
        let due = pace.block(start + Duration::from_secs(640));
        assert_eq!(
            due.line,
            Some((1, Duration::from_secs(600))),
            "a block of its own, at the tip"
        );
    }

    #[test]
    fn the_bar_is_drawn_ten_times_a_second_at_most() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let drawn = (1..=10_000)
            .filter(|n| pace.block(start + Duration::from_micros(100 * n)).draw)
            .count();
        assert_eq!(drawn, 10);
    }

    #[test]
    fn the_bars_template_is_read() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
