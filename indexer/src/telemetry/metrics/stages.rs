//! Metrics of the pipeline's stages.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntGauge, Registry};

use super::register::{gauges, register, seconds};

/// The stages in which a block spends its time.
const STAGES: [&str; 4] = ["fetch", "wait", "execute", "commit"];

/// Metrics of the pipeline's stages.
pub(super) struct StageMetrics {
    /// One for each of [`STAGES`].
    seconds: Vec<(&'static str, Histogram)>,
    pub(super) fetched_waiting: IntGauge,
    pub(super) executed_waiting: IntGauge,
}

impl StageMetrics {
    /// All of them, at zero.
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let took = seconds(
            "block_stage_seconds",
            "Time of one block: fetch is its download, wait is until the guest has it, execute, and commit.",
        );
        let took = register(registry, HistogramVec::new(took, &["stage"])?)?;
        let queued = gauges(
            registry,
            "queued_blocks",
            "Blocks that wait for the next stage: fetched ones for the guest, executed ones to be committed.",
            &["queue"],
        )?;
        Ok(Self {
            seconds: STAGES.map(|stage| (stage, took.with_label_values(&[stage]))).into(),
            fetched_waiting: queued.with_label_values(&["fetched"]),
            executed_waiting: queued.with_label_values(&["executed"]),
        })
    }

    /// One block spent so long in a stage.
    pub(super) fn spent(&self, stage: &'static str, took: Duration) {
        // Handles instead of a look-up by label: this is done several times a block.
        if let Some((_, histogram)) = self.seconds.iter().find(|(name, _)| *name == stage) {
            histogram.observe(took.as_secs_f64());
        }
    }
}
