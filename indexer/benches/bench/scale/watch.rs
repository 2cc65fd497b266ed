//! What is seen of a process while it syncs: a sample several times a second.

use std::{
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    disk,
    ops::{Metrics, STAGES},
    sync::Running,
};

/// Between two samples.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Between two sums of the folder, which has hundreds of files.
const SUM_EVERY_S: f64 = 1.0;
/// A process whose height does not move for longer does not get anywhere.
const PATIENCE_S: f64 = 900.0;

/// One look. Numbers of metrics that this version of the program does not have are none.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Seconds since the first look.
    pub(super) at_s: f64,
    /// Which process it was, from 1.
    pub(super) process: u32,
    /// As `/status` has it.
    pub(super) height: u32,
    /// Seconds since that height moved.
    pub(super) silent_s: f64,
    /// Blocks run since the start of the index. Those that were run but not committed when a process was killed are run
    /// again and count again then.
    pub(super) blocks: f64,
    /// Blocks that this process has run, and the seconds that they spent in each of [`STAGES`].
    pub(super) blocks_here: f64,
    pub(super) stages_s: [f64; 4],
    /// Reads of rows of this process, and their seconds.
    pub(super) reads: Option<(f64, f64)>,
    /// Sorted runs that a read may have to look into.
    pub(super) runs: Option<f64>,
    pub(super) merges_pending: f64,
    pub(super) resident_bytes: f64,
    /// Of the whole folder, at the last sum.
    pub(super) disk_bytes: u64,
    /// Seconds since that changed.
    pub(super) disk_still_s: f64,
}

/// All samples of a run, and the extremes that were seen.
pub(super) struct Watch {
    started: Instant,
    db: PathBuf,
    samples: Vec<Sample>,
    process: u32,
    /// The block that the process began with; none until its height is known.
    first_block: Option<f64>,
    height: u32,
    height_moved_s: f64,
    disk_summed_s: f64,
    disk_changed_s: f64,
    disk_bytes: u64,
    peak_disk_bytes: u64,
    peak_resident_bytes: u64,
}

impl Watch {
    /// Of processes on one folder.
    pub(super) fn new(db: &Path) -> Self {
        Self {
            started: Instant::now(),
            db: db.into(),
            samples: Vec::new(),
            process: 0,
            first_block: None,
            height: 0,
            height_moved_s: 0.0,
            disk_summed_s: 0.0,
            disk_changed_s: 0.0,
            disk_bytes: 0,
            peak_disk_bytes: 0,
            peak_resident_bytes: 0,
        }
    }

    /// What follows is of another process.
    pub(super) fn next_process(&mut self) {
        self.process += 1;
        self.first_block = None;
    }

    /// Looks at the process until its samples, those of this call, are so. The first one is taken when it knows its
    /// height.
    pub(super) fn until(&mut self, running: &mut Running, mut is_so: impl FnMut(&[Sample]) -> bool) {
        let from = self.samples.len();
        let began_s = self.now_s();
        loop {
            running.must_run();
            self.peak_resident_bytes = self.peak_resident_bytes.max(running.peak_bytes());
            self.sum_folder();
            if let Some(sample) = self.look(running) {
                assert!(sample.silent_s < PATIENCE_S, "the height does not move: {sample:?}");
                self.samples.push(sample);
                if is_so(&self.samples[from..]) {
                    return;
                }
            }
            let has_samples = self.samples.len() > from;
            assert!(has_samples || self.now_s() - began_s < PATIENCE_S, "no height is known");
            sleep(LOOK_EVERY);
        }
    }

    pub(super) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Those of the last process.
    pub(super) fn of_process(&self) -> &[Sample] {
        let from = self.samples.iter().position(|sample| sample.process == self.process);
        &self.samples[from.unwrap_or(self.samples.len())..]
    }

    pub(super) fn peak_disk_bytes(&self) -> u64 {
        self.peak_disk_bytes
    }

    pub(super) fn peak_resident_bytes(&self) -> u64 {
        self.peak_resident_bytes
    }

    fn now_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn look(&mut self, running: &Running) -> Option<Sample> {
        let height = running.ops.status()?.height?;
        let metrics = running.ops.metrics()?;
        let at_s = self.now_s();
        let blocks_here = metrics.blocks_run();
        let first_block = *self.first_block.get_or_insert_with(|| {
            // A height that is just known has not been silent, whenever the process before had it.
            (self.height, self.height_moved_s) = (height, at_s);
            f64::from(height) + 1.0 - metrics.get("blocks_total").unwrap_or(0.0)
        });
        if self.height != height {
            (self.height, self.height_moved_s) = (height, at_s);
        }
        Some(Sample {
            at_s,
            process: self.process,
            height,
            silent_s: at_s - self.height_moved_s,
            blocks: first_block + blocks_here,
            blocks_here,
            stages_s: STAGES.map(|stage| metrics.stage_seconds(stage)),
            reads: reads(&metrics),
            runs: metrics.get("store_runs"),
            merges_pending: metrics.get("store_merges_pending").unwrap_or(0.0),
            resident_bytes: metrics.get("resident_memory_bytes").unwrap_or(0.0),
            disk_bytes: self.disk_bytes,
            disk_still_s: at_s - self.disk_changed_s,
        })
    }

    fn sum_folder(&mut self) {
        let now_s = self.now_s();
        if self.disk_bytes > 0 && now_s - self.disk_summed_s < SUM_EVERY_S {
            return;
        }
        let bytes = disk::allocated_bytes(&self.db);
        self.disk_summed_s = now_s;
        if bytes != self.disk_bytes {
            self.disk_changed_s = now_s;
        }
        self.disk_bytes = bytes;
        self.peak_disk_bytes = self.peak_disk_bytes.max(bytes);
    }
}

/// How many reads there were, and their seconds; none before the first one.
fn reads(metrics: &Metrics) -> Option<(f64, f64)> {
    let total = |what| -> Option<f64> {
        let of = |place| metrics.get(&format!(r#"store_read_seconds_{what}{{place="{place}"}}"#));
        ["memory", "cache", "disk"].map(of).into_iter().sum()
    };
    total("count").zip(total("sum"))
}
