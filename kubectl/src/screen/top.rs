//! (pure) The screen of `top`.

use serde::Serialize;

use crate::{
    facts::Facts,
    judge,
    style::{Style, Tone},
    table::{Cell, Table},
    units,
};

/// One Indexer in a list of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    namespace: String,
    name: String,
    height: Option<u32>,
    behind: Option<u32>,
    guest_bytes: Option<u64>,
    threshold_bytes: Option<u64>,
    percent_of_threshold: Option<u64>,
    resident_bytes: Option<u64>,
    refreshes: Option<u64>,
    disk_used_bytes: Option<u64>,
    disk_free_bytes: Option<u64>,
    disk_days_left: Option<u32>,
}

impl Row {
    /// The row of an Indexer.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let active = facts.revisions.iter().find(|revision| revision.role == "active");
        let memory = facts.memory.as_ref();
        let disk = facts.disk.as_ref();
        Self {
            namespace: facts.namespace.clone(),
            name: facts.name.clone(),
            height: active.and_then(|active| active.height),
            behind: active.and_then(|active| active.behind),
            guest_bytes: memory.map(|memory| memory.status.guest_bytes),
            threshold_bytes: memory.map(|memory| memory.status.threshold_bytes),
            percent_of_threshold: memory.and_then(|memory| memory.percent_of_threshold),
            resident_bytes: memory.map(|memory| memory.status.resident_bytes),
            refreshes: memory.map(|memory| memory.status.refreshes_total),
            disk_used_bytes: disk.and_then(|disk| disk.used_bytes),
            disk_free_bytes: disk.and_then(|disk| disk.free_bytes),
            disk_days_left: disk.and_then(|disk| disk.days_left),
        }
    }

    fn guest(&self) -> Cell {
        let (Some(guest), Some(threshold)) = (self.guest_bytes, self.threshold_bytes) else {
            return Cell::default();
        };
        let share = match self.percent_of_threshold {
            Some(percent) => format!(" ({percent}%)"),
            None => String::new(),
        };
        let said = format!("{}/{}{share}", units::bytes(guest), units::bytes(threshold));
        match self.percent_of_threshold {
            Some(100..) => Cell::toned(said, Tone::Warning),
            _ => said.into(),
        }
    }

    fn free(&self) -> Cell {
        let (Some(used), Some(free)) = (self.disk_used_bytes, self.disk_free_bytes) else {
            return Cell::default();
        };
        let said = units::bytes(free);
        match judge::room(free, used.saturating_add(free), self.disk_days_left) {
            Some(tone) => Cell::toned(said, tone),
            None => said.into(),
        }
    }
}

/// A table with a line for each Indexer; with namespaces if they are of several.
#[must_use]
pub fn top(rows: &[Row], namespaces: bool, style: Style) -> String {
    let heads = [
        "NAME",
        "HEIGHT",
        "BEHIND",
        "GUEST",
        "RESIDENT",
        "REFRESHES",
        "USED",
        "FREE",
        "LEFT",
    ];
    let mut all_heads: Vec<&str> = namespaces.then_some("NAMESPACE").into_iter().collect();
    all_heads.extend(heads);
    let mut table = Table::with_all_columns(&all_heads);
    for row in rows {
        let mut cells: Vec<Cell> = namespaces.then(|| row.namespace.as_str().into()).into_iter().collect();
        cells.extend([
            row.name.as_str().into(),
            Cell::maybe(row.height),
            Cell::maybe(row.behind),
            row.guest(),
            Cell::maybe(row.resident_bytes.map(units::bytes)),
            Cell::maybe(row.refreshes),
            Cell::maybe(row.disk_used_bytes.map(units::bytes)),
            row.free(),
            Cell::maybe(row.disk_days_left.map(|days| format!("{days}d"))),
        ]);
        table.row(cells);
    }
    table.render(style)
}
