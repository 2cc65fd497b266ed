//! Metrics that repeat the process's status.

use crds::{
    RefreshReason,
    pod::{FaultClass, Status},
};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Registry};

use super::register::{counters, fractions, gauge, gauges};

/// Metrics that repeat a [`Status`]. Those without labels are vectors too: an empty vector is not shown, which
/// distinguishes an unknown height from height 0.
pub(super) struct Mirror {
    height: IntGaugeVec,
    tip: IntGaugeVec,
    behind: IntGaugeVec,
    blocks_per_second: GaugeVec,
    sync_left: IntGaugeVec,
    ready: IntGaugeVec,
    halted: IntGaugeVec,
    waits_for_room: IntGaugeVec,
    guest_memory: IntGaugeVec,
    resident_memory: IntGaugeVec,
    volume: IntGaugeVec,
    volume_growth: IntGaugeVec,
    volume_days_left: GaugeVec,
    snapshot_last_height: IntGaugeVec,
    refreshes: IntCounterVec,
}

impl Mirror {
    /// All of them, unknown.
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let whole = |name, help| gauges(registry, name, help, &[]);
        let fraction = |name, help| fractions(registry, name, help, &[]);
        let by_kind = |name, help| gauges(registry, name, help, &["kind"]);
        let by_reason = |name, help| counters(registry, name, help, &["reason"]);
        Ok(Self {
            height: whole("height", "Height of the last block committed.")?,
            tip: whole("tip_height", "Height of the node's tip when it last answered.")?,
            behind: whole(
                "behind_blocks",
                "Blocks between the last one committed and the node's tip.",
            )?,
            blocks_per_second: fraction(
                "blocks_per_second",
                "Blocks indexed per second, averaged over half a minute, while it catches up.",
            )?,
            sync_left: whole("sync_left_seconds", "Time until it reaches the tip at that pace.")?,
            ready: whole("ready", "1: caught up, the node heard of lately, not halted.")?,
            halted: whole("halted", "1: indexing stopped below a block.")?,
            waits_for_room: whole("waits_for_room", "1: the disk is full, and indexing waits for room.")?,
            guest_memory: by_kind(
                "guest_memory_bytes",
                "Linear memory of the guest: now, its peak since the start, the threshold and the limit.",
            )?,
            resident_memory: whole("resident_memory_bytes", "Resident memory of the process.")?,
            volume: by_kind(
                "volume_bytes",
                "The file system that holds the data: its capacity, and what is free.",
            )?,
            volume_growth: whole(
                "volume_growth_bytes_per_day",
                "Bytes a day by which what is taken of it grew over the last day.",
            )?,
            volume_days_left: fraction(
                "volume_days_left",
                "Days until it is full at that pace; not shown while it does not grow.",
            )?,
            snapshot_last_height: whole(
                "snapshot_last_height",
                "Height of the last snapshot that is whole; not shown where there is none.",
            )?,
            refreshes: by_reason("refreshes_total", "Instances replaced by a fresh one.")?,
        })
    }

    /// Shows a status.
    pub(super) fn set(&self, status: &Status) {
        set_known(&self.height, status.height);
        set_known(&self.tip, status.tip);
        set_known(&self.behind, status.behind);
        set_known_fraction(&self.blocks_per_second, status.blocks_per_second);
        set_known(&self.sync_left, status.seconds_left);
        set_known(&self.ready, Some(u32::from(status.ready)));
        set_known(&self.halted, Some(u32::from(status.halt.is_some())));
        let trouble = status.trouble.as_ref();
        let is_full = trouble.is_some_and(|trouble| trouble.class == FaultClass::DiskFull);
        set_known(&self.waits_for_room, Some(u32::from(is_full)));
        let memory = &status.memory;
        let kinds = [
            ("now", memory.guest_bytes),
            ("peak", memory.guest_peak_bytes),
            ("threshold", memory.threshold_bytes),
            ("limit", memory.limit_bytes),
        ];
        for (kind, bytes) in kinds {
            self.guest_memory.with_label_values(&[kind]).set(gauge(bytes));
        }
        self.resident_memory
            .with_label_values::<&str>(&[])
            .set(gauge(memory.resident_bytes));
        if let Some(volume) = &status.volume {
            for (kind, bytes) in [("capacity", volume.capacity_bytes), ("free", volume.free_bytes)] {
                self.volume.with_label_values(&[kind]).set(gauge(bytes));
            }
            set_known(&self.volume_growth, volume.growth_per_day_bytes);
            set_known_fraction(&self.volume_days_left, volume.days_left);
        }
        let latest = status.snapshots.as_ref().and_then(|it| it.latest.as_ref());
        set_known(&self.snapshot_last_height, latest.map(|latest| latest.height));
        let mut counts = memory.refreshes;
        for reason in RefreshReason::ALL {
            let shown = self.refreshes.with_label_values(&[reason.label()]);
            shown.inc_by(counts.of(reason).saturating_sub(shown.get()));
        }
    }
}

fn set_known_fraction(metric: &GaugeVec, value: Option<f64>) {
    match value {
        Some(value) => metric.with_label_values::<&str>(&[]).set(value),
        None => metric.reset(),
    }
}

fn set_known(metric: &IntGaugeVec, value: Option<impl Into<u64>>) {
    match value {
        Some(value) => metric.with_label_values::<&str>(&[]).set(gauge(value.into())),
        None => metric.reset(),
    }
}
