//! (pure) Memory, disk and snapshots on the screen of `status`.

use crds::{RefreshReason, Refreshes, SnapshotsStatus};
use k8s_openapi::jiff::Timestamp;

use crate::{
    age::age,
    bar::bar,
    facts::{DiskFacts, Facts, MemoryFacts},
    judge,
    screen::fields::field,
    style::{Style, Tone},
    table::{Cell, Table},
    units,
};

/// Columns of a bar: with its words it fits a terminal of 80.
const BAR: usize = 24;

/// The guest's memory and its refreshes.
pub(super) fn memory(facts: &Facts, now: Timestamp, style: Style) -> String {
    let Some(memory) = &facts.memory else {
        return String::new();
    };
    let status = &memory.status;
    let mut lines = guest(memory, style);
    let peak = match status.guest_peak_height {
        Some(height) => format!("{} at height {height}", units::bytes(status.guest_peak_bytes)),
        None => units::bytes(status.guest_peak_bytes),
    };
    lines += &field("Guest's peak", &peak, None, style);
    lines += &field("Process", &units::bytes(status.resident_bytes), None, style);
    lines += &field("Refreshes", &refreshes(status.refreshes), None, style);
    if let Some(last) = &status.last_refresh {
        let said = format!(
            "{:?} for height {}, {} ago",
            last.reason,
            last.height,
            age(&last.time, now)
        );
        lines += &field("Last refresh", &said, None, style);
    }
    if let Some(recommended) = facts.recommendation() {
        let said = format!(
            "request {}, limit {}: {}",
            recommended.request, recommended.limit, recommended.reason
        );
        lines += &field("Recommended", &said, None, style);
    }
    lines
}

fn guest(memory: &MemoryFacts, style: Style) -> String {
    let status = &memory.status;
    let mark = Some(status.threshold_bytes);
    let drawn = bar(status.guest_bytes, mark, status.limit_bytes, BAR);
    let share = |percent: Option<u64>| percent.map_or_else(String::new, |percent| format!("{percent}% of "));
    let said = format!(
        "{drawn} {}: {}threshold {}, {}limit {}",
        units::bytes(status.guest_bytes),
        share(memory.percent_of_threshold),
        units::bytes(status.threshold_bytes),
        share(memory.percent_of_limit),
        units::bytes(status.limit_bytes),
    );
    field("Guest's memory", &said, None, style)
}

fn refreshes(mut refreshes: Refreshes) -> String {
    let total = refreshes.total();
    let each = RefreshReason::ALL.map(|reason| (reason.label(), *refreshes.of(reason)));
    let some: Vec<String> = each
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    match some.is_empty() {
        true => "0".into(),
        false => format!("{total}: {}", some.join(", ")),
    }
}

/// The disk with least room, and snapshots.
pub(super) fn disk(facts: &Facts, now: Timestamp, style: Style) -> String {
    let mut lines = facts.disk.as_ref().map_or_else(String::new, |disk| room(disk, style));
    if let Some(snapshots) = &facts.snapshots {
        lines += &published(snapshots, now, style);
    }
    lines
}

fn room(disk: &DiskFacts, style: Style) -> String {
    let (Some(used), Some(free)) = (disk.used_bytes, disk.free_bytes) else {
        return String::new();
    };
    let whole = used.saturating_add(free);
    let drawn = bar(used, None, whole, BAR);
    let mut said = format!("{drawn} {} used, {} free", units::bytes(used), units::bytes(free));
    if let Some(growth) = disk.growth_per_day_bytes {
        said += &format!("; grows by {} a day", units::bytes(growth));
    }
    if let Some(days) = disk.days_left {
        said += &format!(", full in {days} days");
    }
    let tone = judge::room(free, whole, disk.days_left);
    field("Disk", &said, tone, style)
}

fn published(snapshots: &SnapshotsStatus, now: Timestamp, style: Style) -> String {
    let mut lines = match &snapshots.latest {
        Some(latest) => {
            let said = format!(
                "height {}, {}, {} ago, {}",
                latest.height,
                units::bytes(latest.bytes),
                age(&latest.time, now),
                latest.url
            );
            field("Snapshot", &said, None, style)
        }
        None => field("Snapshot", "none yet", Some(Tone::Faint), style),
    };
    if let Some(underway) = &snapshots.underway {
        let done = match units::percent(underway.done_bytes, underway.total_bytes) {
            Some(percent) => format!(
                "{} of {} uploaded ({percent}%)",
                units::bytes(underway.done_bytes),
                units::bytes(underway.total_bytes)
            ),
            None => "its files are being read".into(),
        };
        lines += &field(
            "Next snapshot",
            &format!("height {}, {done}", underway.height),
            None,
            style,
        );
    }
    lines
}

/// Claims for volumes, also those that no pod has.
pub(super) fn claims(facts: &Facts) -> Table {
    let mut table = Table::new(&["CLAIM", "REQUESTED", "CAPACITY", "IN USE"]);
    for claim in facts.disk.iter().flat_map(|disk| &disk.claims) {
        let use_ = match claim.in_use {
            true => Cell::from("yes"),
            false => Cell::toned("no", Tone::Faint),
        };
        table.row(vec![
            claim.name.as_str().into(),
            claim.requested.as_str().into(),
            Cell::maybe(claim.capacity.as_deref()),
            use_,
        ]);
    }
    table
}
