//! Metrics of the store: what it takes, where reads are answered, what merging does.

use std::time::Duration;

use prometheus::{Counter, Histogram, HistogramOpts, HistogramVec, IntCounter, IntGauge, IntGaugeVec, Registry};

use super::register::{counter, gauge, gauges, register};
use crate::store::Stats;

/// From a microsecond, which is a look at memory, to a second, which is a disk in trouble.
const READ_BUCKETS: [f64; 12] = [
    0.000_001, 0.000_003, 0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0,
];

/// Where a read of a block was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadPlace {
    /// From what the process keeps in memory: newest writes, and rows that were read ahead.
    Memory,
    /// From files that the system has in memory.
    Cache,
    /// After waiting for the disk.
    Disk,
}

/// Metrics of the store.
pub(super) struct StoreMetrics {
    bytes: IntGaugeVec,
    filters: IntGaugeVec,
    /// By place, as numbered by [`ReadPlace`].
    reads: [Histogram; 3],
    runs: IntGauge,
    merges_pending: IntGauge,
    merged_bytes: IntCounter,
    stalled_seconds: Counter,
    unfiltered_rows: IntGauge,
}

impl StoreMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let one = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        let options = HistogramOpts::new(
            "store_read_seconds",
            "Reads of blocks, by where they were answered: memory, cache (of the system) or disk.",
        );
        let reads = register(
            registry,
            HistogramVec::new(options.buckets(READ_BUCKETS.to_vec()), &["place"])?,
        )?;
        Ok(Self {
            bytes: gauges(
                registry,
                "store_bytes",
                "Bytes on disk: of rows, and by column family.",
                &["family"],
            )?,
            filters: gauges(
                registry,
                "store_filters_bytes",
                "Memory of filters and indexes of rows: what they take, and what they may take.",
                &["kind"],
            )?,
            reads: ["memory", "cache", "disk"].map(|place| reads.with_label_values(&[place])),
            runs: one(
                "store_runs",
                "Sorted runs of rows, each of which a read may have to ask.",
            )?,
            merges_pending: one("store_merges_pending", "Merges of runs that are due or under way.")?,
            merged_bytes: counter(
                registry,
                "store_merged_bytes_total",
                "Bytes of files that merges wrote.",
            )?,
            stalled_seconds: register(
                registry,
                Counter::new(
                    "store_stalled_seconds_total",
                    "Time that commits waited because too many runs were to be merged.",
                )?,
            )?,
            unfiltered_rows: one(
                "store_unfiltered_rows",
                "Rows of files whose filters do not fit into memory.",
            )?,
        })
    }

    pub(super) fn read(&self, place: ReadPlace, took: Duration) {
        self.reads[place as usize].observe(took.as_secs_f64());
    }

    pub(super) fn show(&self, stats: &Stats) {
        let families = stats.families.iter().map(|family| (family.name, family.disk_bytes));
        for (family, bytes) in families.chain([("rows", stats.rows_bytes)]) {
            self.bytes.with_label_values(&[family]).set(gauge(bytes));
        }
        let (used, max) = stats.filters_bytes;
        for (kind, bytes) in [("used", used), ("capacity", max)] {
            self.filters.with_label_values(&[kind]).set(gauge(bytes));
        }
        self.runs.set(gauge(stats.runs as u64));
        self.merges_pending.set(gauge(stats.merging.pending));
        self.unfiltered_rows.set(gauge(stats.unfiltered_rows));
        // The store counts from its opening, which is once in a process.
        self.merged_bytes
            .inc_by(stats.merging.merged_bytes.saturating_sub(self.merged_bytes.get()));
        let stalled = stats.merging.stalled.as_secs_f64() - self.stalled_seconds.get();
        self.stalled_seconds.inc_by(stalled.max(0.0));
    }
}
