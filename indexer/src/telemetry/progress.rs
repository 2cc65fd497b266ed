//! Shows the progress of indexing: as a bar on a terminal, as a log line now and then elsewhere.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::{
    pod::Status,
    sync_pace::{speed_in_words, time_left_in_words},
};
use indicatif::{ProgressBar, ProgressStyle};

use super::{report::Report, units::pace};

/// Blocks after which a line is written.
const LINE_EVERY_BLOCKS: u64 = 1_000;
/// Time after which a line is written, where blocks are slower than that.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The eye does not follow a bar that moves more often.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// What the bar shows beside itself.
const TEMPLATE: &str = "{wide_bar:.cyan/blue} {human_pos}/{human_len} {msg}";

/// Hears of every step of indexing and decides what to show of it.
pub struct Progress {
    bar: ProgressBar,
    pace: Mutex<Pace>,
}

/// What was shown last, and when.
struct Pace {
    /// Blocks indexed since the last line.
    blocks_since_line: u64,
    line_at: Instant,
    drawn_at: Instant,
}

/// What is to be shown now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Due {
    /// A log line: how many blocks were indexed since the one before, and in how long.
    line: Option<(u64, Duration)>,
    /// The bar.
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

    /// Indexing starts now: what came before it does not count as time spent on blocks.
    pub fn start(&self) {
        *self.pace() = Pace::new(Instant::now());
    }

    /// So many more blocks are in the index, all of which the report counts already. Cheap enough for every block: the
    /// report is read only when something is shown.
    pub fn indexed(&self, report: &Report, blocks: u32) {
        let due = self.pace().add(u64::from(blocks), Instant::now());
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

    /// Leaves the bar as it stands, so that the last lines follow it.
    pub fn finish(&self) {
        self.bar.abandon();
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // Plain values; a panic between lock and unlock leaves nothing half done.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, status: &Status) {
        let height = status.height.unwrap_or(0);
        self.bar.set_length(u64::from(status.tip.unwrap_or(0).max(height)));
        self.bar.set_position(u64::from(height));
        let memory = &status.memory;
        let pace = pace(status).map_or(String::new(), |pace| pace + ", ");
        self.bar.set_message(format!(
            "{pace}guest {} of {} MB, {} refreshes",
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

    /// What is due now that so many more blocks are in the index.
    fn add(&mut self, blocks: u64, now: Instant) -> Due {
        self.blocks_since_line += blocks;
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
        blocks_per_second = status.blocks_per_second.map(speed_in_words),
        left = status.seconds_left.map(time_left_in_words),
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
    use std::{io, sync::Arc};

    use super::*;

    #[test]
    fn a_line_comes_every_thousand_blocks_when_they_are_fast() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let lines: Vec<u64> = (1..=3_500)
            .filter(|n| pace.add(1, start + Duration::from_millis(*n)).line.is_some())
            .collect();
        assert_eq!(lines, [1_000, 2_000, 3_000]);
    }

    #[test]
    fn a_line_comes_every_ten_seconds_when_they_are_slow() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let lines: Vec<u64> = (1..=20)
            .filter(|n| pace.add(1, start + Duration::from_secs(2 * n)).line.is_some())
            .collect();
        assert_eq!(lines, [5, 10, 15, 20]);
        let due = pace.add(1, start + Duration::from_secs(640));
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
            .filter(|n| pace.add(1, start + Duration::from_micros(100 * n)).draw)
            .count();
        assert_eq!(drawn, 10);
    }

    #[test]
    fn what_happened_before_the_start_is_no_time_spent_on_blocks() {
        let progress = Progress::new(ProgressBar::hidden());
        let before = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        progress.pace().line_at = before;
        progress.start();
        let (blocks, took) = progress.pace().add(1_000, Instant::now()).line.unwrap();
        assert_eq!(blocks, 1_000);
        assert!(took < Duration::from_secs(50), "{took:?}");
    }

    /// Lines of the log, kept.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_blocks_of_a_line_are_those_between_its_height_and_the_one_before() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let config = serde_yaml::from_str(include_str!("../../tests/data/config.yaml")).unwrap();
        let report = Report::new(&config);
        let progress = Progress::new(ProgressBar::hidden());
        let mut height = 0;
        // Far below the tip, blocks come in batches that do not divide the thousand.
        tracing::subscriber::with_default(subscriber, || {
            for blocks in [700, 700, 2_048, 1, 999, 1_500] {
                height += blocks;
                report.update(|status| status.height = Some(height));
                progress.indexed(&report, blocks);
            }
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let number = |line: &str, name: &str| -> u32 {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name} in {line}")).parse().unwrap()
        };
        let shown: Vec<(u32, u32)> = text
            .lines()
            .map(|line| (number(line, "height="), number(line, "blocks=")))
            .collect();
        assert_eq!(shown, [(1_400, 1_400), (3_448, 2_048), (4_448, 1_000), (5_948, 1_500)]);
    }

    #[test]
    fn the_bars_template_is_read() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
