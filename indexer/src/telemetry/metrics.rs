//! Prometheus metrics of one process. What the status contains is copied from it at each scrape; everything else is
//! counted here.

mod mirror;
mod register;
mod snapshots;
mod stages;
mod store;
mod views;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crds::pod::{Config, Status};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use self::{
    mirror::Mirror,
    register::{counter, counters, gauges, register},
    snapshots::SnapshotMetrics,
    stages::StageMetrics,
    store::StoreMetrics,
    views::ViewMetrics,
};
pub use self::{store::ReadPlace, views::OTHER_FUNCTION};

use crate::store::Stats;

/// Every metric, in a registry of its own: two of these in one process do not interfere.
pub struct Metrics {
    registry: Registry,
    mirror: Mutex<Mirror>,
    stages: StageMetrics,
    blocks: IntCounter,
    written_pairs: IntCounter,
    written_bytes: IntCounter,
    unwinds: IntCounter,
    reorg_depth: Histogram,
    refresh_failures: IntCounter,
    audits: IntCounterVec,
    source_errors: IntCounterVec,
    store: StoreMetrics,
    guest_pages_kept: IntGaugeVec,
    snapshots: SnapshotMetrics,
    views: ViewMetrics,
}

impl Metrics {
    /// All metrics at zero, with the identity of what runs.
    ///
    /// # Errors
    /// If two of them have the same name, which a test rules out.
    pub fn new(config: &Config) -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("shrewd_indexer".into()), None)?;
        show_build(&registry, config)?;
        let audits = counters(
            &registry,
            "audits_total",
            "Blocks run also in a fresh instance, by what came out: equal, different, or failed for this machine.",
            &["outcome"],
        )?;
        for outcome in ["equal", "different", "failed"] {
            // Shown before the first one, so that a difference is a step from 0.
            audits.with_label_values(&[outcome]);
        }
        Ok(Self {
            mirror: Mutex::new(Mirror::new(&registry)?),
            stages: StageMetrics::new(&registry)?,
            audits,
            blocks: counter(
                &registry,
                "blocks_total",
                "Blocks committed; blocks indexed again after an unwind count again.",
            )?,
            written_pairs: counter(&registry, "written_pairs_total", "Key/value pairs committed.")?,
            written_bytes: counter(&registry, "written_bytes_total", "Bytes of keys and values committed.")?,
            unwinds: counter(
                &registry,
                "unwinds_total",
                "Times that blocks were undone because the chain reorganised.",
            )?,
            reorg_depth: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("reorg_depth_blocks", "Blocks undone at once.")
                        .buckets(vec![1.0, 2.0, 3.0, 6.0, 10.0, 25.0, 50.0, 100.0]),
                )?,
            )?,
            refresh_failures: counter(
                &registry,
                "refresh_failures_total",
                "Refreshes that failed because the host could not give memory.",
            )?,
            source_errors: counters(
                &registry,
                "source_errors_total",
                "Failed requests to the chain source.",
                &["reason"],
            )?,
            store: StoreMetrics::new(&registry)?,
            guest_pages_kept: gauges(
                &registry,
                "guest_pages_kept",
                "1: pages of a guest are kept for the next instance; 0: all are given back; with the reason.",
                &["reason"],
            )?,
            snapshots: SnapshotMetrics::new(&registry)?,
            views: ViewMetrics::new(&registry)?,
            registry,
        })
    }

    /// One block spent so long in a stage: `fetch`, `wait`, `execute` or `commit`.
    pub fn stage(&self, stage: &'static str, took: Duration) {
        self.stages.spent(stage, took);
    }

    /// Blocks fetched and not yet taken by the guest.
    pub fn fetched_waiting(&self) -> &IntGauge {
        &self.stages.fetched_waiting
    }

    /// Blocks executed and not yet committed; counted up by one stage and down by the other.
    pub fn executed_waiting(&self) -> &IntGauge {
        &self.stages.executed_waiting
    }

    /// A block was committed with so many pairs and bytes of keys and values.
    pub fn committed(&self, pairs: usize, bytes: u64) {
        self.blocks.inc();
        self.written_pairs.inc_by(pairs as u64);
        self.written_bytes.inc_by(bytes);
    }

    /// So many blocks were undone at once.
    pub fn unwound(&self, depth: u32) {
        self.unwinds.inc();
        self.reorg_depth.observe(f64::from(depth));
    }

    /// A refresh could not be made, for want of memory: the instance before stays, or the block fails.
    pub fn refresh_failed(&self) {
        self.refresh_failures.inc();
    }

    /// A block was audited: `equal`, `different` or `failed`.
    pub fn audited(&self, outcome: &'static str) {
        self.audits.with_label_values(&[outcome]).inc();
    }

    /// The chain source failed; `reason` is one of [`crds::pod::source_reasons`].
    pub fn source_error(&self, reason: &'static str) {
        self.source_errors.with_label_values(&[reason]).inc();
    }

    /// The store is like that.
    pub fn store(&self, stats: &Stats) {
        self.store.show(stats);
    }

    /// A block read a key.
    pub fn read(&self, place: ReadPlace, took: Duration) {
        self.store.read(place, took);
    }

    /// Whether pages of guests are kept, for a reason out of a fixed set; decided once.
    pub fn guest_pages_kept(&self, reason: &'static str, kept: bool) {
        self.guest_pages_kept.with_label_values(&[reason]).set(i64::from(kept));
    }

    /// So many bytes of files were uploaded for a snapshot.
    pub fn snapshot_uploaded(&self, bytes: u64) {
        self.snapshots.uploaded.inc_by(bytes);
    }

    /// A try to publish a snapshot failed.
    pub fn snapshot_failed(&self) {
        self.snapshots.failures.inc();
    }

    /// A view was called. `outcome` is one of a fixed set; `function` must be an export of the module or
    /// [`OTHER_FUNCTION`].
    pub fn view(&self, function: &str, outcome: &'static str, took: Duration) {
        self.views.ended(function, outcome, took);
    }

    /// Running views; the caller counts up and down.
    pub fn views_running(&self) -> &IntGauge {
        &self.views.running
    }

    /// A view did not return a pointer to data.
    pub fn malformed_answer(&self) {
        self.views.malformed_answers.inc();
    }

    /// Everything in Prometheus' text format, with what `status` says.
    ///
    /// # Errors
    /// If a metric cannot be written as text.
    pub fn render(&self, status: &Status) -> Result<String, prometheus::Error> {
        // Held until gathered, so that two scrapes at once do not mix two statuses.
        let mirror = self.mirror.lock().unwrap_or_else(PoisonError::into_inner);
        mirror.set(status);
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// The identity of what runs, which never changes.
fn show_build(registry: &Registry, config: &Config) -> Result<(), prometheus::Error> {
    let labels = ["version", "module", "revision"];
    let build = gauges(registry, "build_info", "What runs: always 1.", &labels)?;
    let revision = config.data_revision();
    let values = [
        env!("CARGO_PKG_VERSION"),
        &config.identity.module_sha256,
        revision.as_str(),
    ];
    build.with_label_values(&values).set(1);
    Ok(())
}
