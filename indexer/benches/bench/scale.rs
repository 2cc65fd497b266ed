//! An index of `wide` that grows to the size of mainnet's, in the memory of a pod: what growth costs, how long nothing
//! is seen to move, how much disk it takes meanwhile, a kill in the middle, and a disk that is slow.
//!
//! Nothing is stopped to measure it. The process is looked at several times a second, and the figures are computed from
//! what was seen.

mod curve;
mod model;
mod size;
mod slow_disk;
mod watch;
mod windows;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    cgroup::MemoryGroup,
    chain::{Chain, Shape},
    disk,
    report::{
        self,
        Bar::{self, AtMost},
        Report,
    },
    sync::{BlocksFrom, Running, Setup},
};
use model::Model;
use size::Size;
pub(crate) use size::rows_after;
use watch::{Sample, Watch};
use windows::{Window, window, windows};

/// What the process and the page cache of its files have together: a pod of the default size has about as much.
const MEMORY_BYTES: u64 = 6 << 30;
/// Blocks of which the pace before and after a restart is known.
const PACE_BLOCKS: f64 = 10.0;
/// The share of the pace before that must be reached again.
const PACE_AGAIN: f64 = 0.8;
/// When it is not reached, the restart counts as having taken so long.
const RESTART_MAX: f64 = 60.0;
/// How long the blocks on a slow disk may take; the figure is of those that were run by then.
const SLOW_SECONDS_MAX: f64 = 120.0;
/// The folder keeps its size for so long when nothing is merged any more.
const STILL_SECONDS: f64 = 10.0;
/// Merges at the tip that take longer are not waited for.
const SETTLE_SECONDS_MAX: f64 = 600.0;
const GIB: f64 = (1 << 30) as f64;

/// One run.
struct Run {
    size: Size,
    setup: Setup,
    /// None where the machine has no memory groups that we may make.
    group: Option<MemoryGroup>,
    /// In words, beside the figures.
    memory: String,
    watch: Watch,
    report: Report,
}

/// Measures, prints a table, writes `scale.json` and the curve, and removes the index.
///
/// # Errors
/// When the disk has no room for so many rows.
pub(crate) fn run(dir: &Path, guests: &Path, target: &Path, rows_millions: u32) -> Result<(), String> {
    let size = Size::of(rows_millions);
    fs::create_dir_all(dir).map_err(|error| format!("make {}: {error}", dir.display()))?;
    let db = dir.join("db-scale");
    let _ = fs::remove_dir_all(&db);
    size.fits(dir, disk::free_bytes(dir))?;
    let started = Instant::now();
    let chain = Chain::provide_no_longer(&dir.join("node-scale"), Shape::small(size.tip()));
    let (group, memory) = memory_group();
    let mut run = Run {
        setup: Setup {
            guest: guests.join("wide.wasm"),
            from: BlocksFrom::Node(chain.node.url()),
            heights: 0..size.tip() + 1,
            db: db.clone(),
        },
        watch: Watch::new(&db),
        report: Report::default(),
        size,
        group,
        memory,
    };
    run.setup.fresh();
    let windows = run.sync();
    run.slow_disk(dir);
    let bytes_per_row = run.settle();
    run.report.print();
    run.write(target, &windows, bytes_per_row, started.elapsed());
    Ok(())
}

/// A group with the memory of a pod, and words for it.
fn memory_group() -> (Option<MemoryGroup>, String) {
    match MemoryGroup::new("scale", MEMORY_BYTES) {
        Ok(group) => (
            Some(group),
            format!("in {:.0} GiB, page cache included", MEMORY_BYTES as f64 / GIB),
        ),
        Err(why) => {
            eprintln!("\nNO MEMORY LIMIT: {why}. The figures are those of all the memory of this machine.\n");
            (None, "WITHOUT A MEMORY LIMIT".into())
        }
    }
}

impl Run {
    /// Starts the process in the group, with variables of its own.
    fn start(&mut self, variables: &[(&str, String)]) -> Running {
        self.watch.next_process();
        self.setup.start_in(self.group.as_ref(), variables)
    }

    /// The sync itself, with a kill in the middle.
    fn sync(&mut self) -> Vec<Window> {
        let size = self.size;
        let mut running = self.start(&[]);
        let middle = f64::from(size.blocks / 2);
        self.watch.until(&mut running, |samples| blocks(samples) >= middle);
        let mut running = self.restart(running);
        let end = f64::from(size.blocks);
        self.watch.until(&mut running, |samples| blocks(samples) >= end);
        drop(running);
        self.add_pace();
        windows(self.watch.samples(), size.blocks, size.window())
    }

    /// Kills the process, and waits until another one is as fast.
    fn restart(&mut self, running: Running) -> Running {
        let before = pace(self.watch.samples(), self.size.before()).expect("blocks before the kill");
        let killed = Instant::now();
        drop(running);
        let mut running = self.start(&[]);
        let is_fast = |samples: &[Sample]| {
            let pace = pace(samples, PACE_BLOCKS);
            pace.is_some_and(|ms| ms <= before / PACE_AGAIN) || killed.elapsed().as_secs_f64() > RESTART_MAX
        };
        self.watch.until(&mut running, is_fast);
        let how = format!(
            "SIGKILL at {:.0} million rows, until {PACE_BLOCKS} blocks take no more than {:.0} ms each; {before:.0} before",
            rows_after(self.size.blocks / 2) / 1e6,
            before / PACE_AGAIN
        );
        let took = killed.elapsed().as_secs_f64();
        self.report.add("restart_in_sync_s", took, "s", AtMost(5.0), how);
        running
    }

    /// The figures of the sync, of which all samples so far are.
    fn add_pace(&mut self) {
        let (size, memory) = (self.size, &self.memory);
        let samples = self.watch.samples();
        let last = window(samples, size.last()).expect("the last blocks of the sync");
        let name = format!("wide_ms_{}m", size.rows_millions);
        let how = format!("a block of blocks {:?}, {memory}; of it {}", size.last(), last.stages());
        self.report.add(name, last.ms, "ms", AtMost(150.0), how);
        if let Some(young) = size.young().and_then(|young| window(samples, young)) {
            // Growth from almost nothing is no harm.
            let bar: Option<Bar> = (last.ms > 120.0).then_some(AtMost(2.5));
            let how = format!(
                "that ÷ the {:.1} ms a block around 30 million rows; no bar up to 120 ms",
                young.ms
            );
            self.report.add("wide_growth", last.ms / young.ms, "×", bar, how);
        }
        let silent = samples.iter().map(|sample| sample.silent_s).fold(0.0, f64::max);
        let how = "the longest time that the height in /status did not move; the restart has a figure of its own";
        self.report.add("wide_silence_s", silent, "s", AtMost(3.0), how);
    }

    /// More blocks, while each read that needs the disk takes longer.
    fn slow_disk(&mut self, dir: &Path) {
        let variables = slow_disk::variables(dir, &self.setup.store());
        let mut running = self.start(&variables);
        let (slow, started) = (f64::from(self.size.slow()), Instant::now());
        self.watch.until(&mut running, |samples| {
            let run = blocks(samples) - samples[0].blocks;
            run >= slow + PACE_BLOCKS || (run > 2.0 * PACE_BLOCKS && started.elapsed().as_secs_f64() > SLOW_SECONDS_MAX)
        });
        let samples = self.watch.of_process();
        let first = samples[0].blocks + PACE_BLOCKS;
        let from = samples
            .iter()
            .find(|sample| sample.blocks >= first)
            .expect("the first ones");
        let to = &samples[samples.len() - 1];
        let (count, seconds) = (to.blocks - from.blocks, to.at_s - from.at_s);
        let how = format!(
            "a block of {count:.0} more, with {:.1} ms on top of each read that the page cache cannot answer",
            slow_disk::DELAY.as_secs_f64() * 1e3
        );
        self.report
            .add("slow_disk_ms", seconds * 1e3 / count, "ms", AtMost(600.0), how);
    }

    /// Waits at the tip until nothing is merged any more; gives the bytes on disk that a row takes then.
    fn settle(&mut self) -> f64 {
        let mut running = self.start(&[]);
        let (tip, started) = (self.size.tip(), Instant::now());
        self.watch.until(&mut running, |samples| {
            let last = &samples[samples.len() - 1];
            let is_settled = last.disk_still_s >= STILL_SECONDS && last.merges_pending == 0.0;
            last.height == tip && (is_settled || started.elapsed().as_secs_f64() > SETTLE_SECONDS_MAX)
        });
        drop(running);
        let page_us = disk::page_us(&self.setup.store().join("rocksdb"));
        let how = "a page of the largest file that is not in the page cache, read alone while nothing else runs: the \
                   least a read takes that waits for this disk";
        self.report.add("disk_read_us", page_us, "µs", None, how);
        let bytes = self.watch.of_process().last().map_or(0, |last| last.disk_bytes) as f64;
        let peak = self.watch.peak_disk_bytes() as f64;
        let how = format!(
            "most bytes of the folder, {:.1} GB, ÷ {:.1} GB when no merge was pending at the tip, {:.0} s after a start",
            peak / 1e9,
            bytes / 1e9,
            started.elapsed().as_secs_f64()
        );
        self.report.add("wide_disk_peak", peak / bytes, "×", AtMost(1.6), how);
        let rss = self.watch.peak_resident_bytes() as f64 / f64::from(1 << 20);
        let how = format!(
            "the most that a process of this run had resident, its guest included, {}",
            self.memory
        );
        self.report.add("rss_peak_mb", rss, "MiB", None, how);
        bytes / rows_after(tip + 1)
    }

    /// All of it as JSON, and the curve with its continuation.
    fn write(&self, target: &Path, windows: &[Window], bytes_per_row: f64, took: Duration) {
        let model = Model::of(windows, bytes_per_row);
        let json = json!({
            "rows": rows_after(self.size.blocks),
            "seconds": took.as_secs_f64(),
            "memory": self.memory,
            "figures": self.report.json(),
            "model": model.json(),
            "windows": windows,
        });
        report::write(&target.join("scale.json"), &json);
        let svg = self.curve_file(target);
        curve::draw(&svg, windows, &model).unwrap_or_else(|error| panic!("draw {}: {error}", svg.display()));
        println!("the curve: {}", svg.display());
    }

    /// The book shows that of a whole run.
    fn curve_file(&self, target: &Path) -> PathBuf {
        if self.size.is_whole() {
            target.join("../docs/src/scale.svg")
        } else {
            target.join("scale.svg")
        }
    }
}

impl Drop for Run {
    /// The index goes, whatever happened: it is larger than anything else here.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.setup.db);
    }
}

/// Blocks run by the end of these samples.
fn blocks(samples: &[Sample]) -> f64 {
    samples.last().map_or(0.0, |sample| sample.blocks)
}

/// Milliseconds a block of at least so many blocks before the end; none if there are fewer.
fn pace(samples: &[Sample], count: f64) -> Option<f64> {
    let last = samples.last()?;
    let before = samples
        .iter()
        .rev()
        .find(|sample| last.blocks - sample.blocks >= count)?;
    Some((last.at_s - before.at_s) * 1e3 / (last.blocks - before.blocks))
}
