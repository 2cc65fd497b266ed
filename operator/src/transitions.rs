//! (pure) Events: one whenever a condition that people wait for or are alerted by changes, and never otherwise.

use crds::{
    IndexerStatus,
    conditions::{reasons, types},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};

/// The API accepts notes of at most 1,024 bytes.
const NOTE_BYTES_MAX: usize = 1_000;

/// Conditions that are announced, with the status that a new resource starts from, and the status that is a warning.
const ANNOUNCED: [(&str, &str, &str); 10] = [
    (types::READY, "False", "False"),
    (types::STALLED, "False", "True"),
    (types::CHAIN_SOURCE_READY, "Unknown", "False"),
    (types::STORAGE_READY, "Unknown", "False"),
    // Where no snapshots are declared, it is true from the first.
    (types::SNAPSHOTS_READY, "True", "False"),
    (types::MEMORY_PRESSURE, "False", "True"),
    (types::MEMORY_UNDERSIZED, "False", "True"),
    (types::CONSISTENT, "True", "False"),
    (types::ROLLOUT_IN_PROGRESS, "False", ""),
    (types::SUSPENDED, "False", ""),
];

/// Reasons of a condition that is not as it should be and becomes so by itself: no warning.
const PASSING: [&str; 2] = [reasons::RESIZING, reasons::FILE_SYSTEM_RESIZE_PENDING];

/// The events of a change of status. A condition that becomes unknown causes none: pods restart all the time.
#[must_use]
pub fn transitions(last: Option<&IndexerStatus>, next: &IndexerStatus) -> Vec<Event> {
    let turned = ANNOUNCED.iter().filter_map(|(type_, newborn, bad)| {
        let before = last.and_then(|status| find(status, type_));
        let after = find(next, type_)?;
        let has_turned = after.status != before.map_or(*newborn, |c| c.status.as_str()) && after.status != "Unknown";
        let is_bad = |condition: &Condition| condition.status == *bad && !PASSING.contains(&condition.reason.as_str());
        // What was to pass by itself and does not any more.
        let has_worsened = after.status == *bad && is_bad(after) && before.is_some_and(|before| !is_bad(before));
        (has_turned || has_worsened).then(|| event(after, is_bad(after)))
    });
    turned.collect()
}

fn find<'a>(status: &'a IndexerStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn event(condition: &Condition, is_bad: bool) -> Event {
    let note = format!("{} is {}: {}", condition.type_, condition.status, condition.message);
    Event {
        type_: if is_bad { EventType::Warning } else { EventType::Normal },
        reason: condition.reason.clone(),
        note: Some(shortened(&note)),
        action: condition.type_.clone(),
        secondary: None,
    }
}

/// A note, or as much of its start as the API takes.
#[must_use]
pub fn shortened(note: &str) -> String {
    if note.len() <= NOTE_BYTES_MAX {
        return note.to_owned();
    }
    let end = (0..=NOTE_BYTES_MAX - '…'.len_utf8())
        .rev()
        .find(|i| note.is_char_boundary(*i))
        .unwrap_or(0);
    format!("{}…", &note[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::condition;

    fn with(type_: &str, status: &str) -> IndexerStatus {
        IndexerStatus {
            conditions: vec![condition(type_, status, "Reason", "why")],
            ..IndexerStatus::default()
        }
    }

    #[test]
    fn only_changes_of_announced_conditions_are_announced() {
        let cases = [
            (None, with("Stalled", "True"), 1),
            (None, with("Stalled", "False"), 0),
            (None, with("Ready", "False"), 0),
            (Some(with("Ready", "False")), with("Ready", "True"), 1),
            (Some(with("Ready", "True")), with("Ready", "True"), 0),
            (
                Some(with("ChainSourceReady", "True")),
                with("ChainSourceReady", "Unknown"),
                0,
            ),
            (Some(with("Synced", "True")), with("Synced", "False"), 0),
        ];
        for (before, after, count) in cases {
            assert_eq!(transitions(before.as_ref(), &after).len(), count, "{after:?}");
        }
    }

    #[test]
    fn a_volume_that_grows_is_no_warning_unless_it_stops() {
        let storage = |status: &str, reason: &str| IndexerStatus {
            conditions: vec![condition("StorageReady", status, reason, "why")],
            ..IndexerStatus::default()
        };
        let (well, grows) = (storage("True", "AsExpected"), storage("False", "Resizing"));
        let fails = storage("False", "ResizeFailed");
        let types = |before: &IndexerStatus, after: &IndexerStatus| {
            let events = transitions(Some(before), after).into_iter();
            events
                .map(|event| event.type_ == EventType::Warning)
                .collect::<Vec<_>>()
        };
        assert_eq!(types(&well, &grows), [false]);
        assert_eq!(types(&grows, &well), [false]);
        assert_eq!(types(&grows, &fails), [true]);
        assert_eq!(types(&fails, &fails), [] as [bool; 0]);
    }

    #[test]
    fn notes_fit_and_stay_text() {
        for note in ["x".repeat(5_000), "ä".repeat(5_000)] {
            let short = shortened(&note);
            assert!(short.len() <= NOTE_BYTES_MAX && short.ends_with('…'));
        }
        assert_eq!(shortened("short"), "short");
    }
}
