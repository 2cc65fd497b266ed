//! (pure) The screen of `status`.

use crds::{PodRow, conditions::types};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};

use crate::{
    age::{age, until},
    facts::Facts,
    judge,
    screen::fields::field,
    style::{Style, Tone},
    table::{Cell, Table},
    units,
};

mod resources;

/// Digits of a module's digest that are shown: enough to distinguish the few modules of an index.
const DIGEST_DIGITS: usize = 12;

/// Everything on one screen.
#[must_use]
pub fn status(facts: &Facts, now: Timestamp, style: Style) -> String {
    let parts = [
        about(facts, now, style),
        revisions(facts, now).render(style),
        resources::memory(facts, now, style),
        resources::disk(facts, now, style),
        resources::claims(facts).render(style),
        pods(&facts.pods).render(style),
        conditions(&facts.conditions, now).render(style),
        unread(facts, style),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn about(facts: &Facts, now: Timestamp, style: Style) -> String {
    let mut lines = field("Name", &facts.name, None, style);
    lines += &field("Namespace", &facts.namespace, None, style);
    lines += &field("Network", &facts.network, None, style);
    if let Some(created) = &facts.created {
        lines += &field("Age", &age(created, now), None, style);
    }
    if let Some(endpoint) = &facts.endpoint {
        lines += &field("Endpoint", endpoint, None, style);
    }
    let ready = facts
        .conditions
        .iter()
        .find(|condition| condition.type_ == types::READY);
    if let Some(ready) = ready {
        lines += &field(
            "Ready",
            &format!("{} ({})", ready.status, ready.reason),
            Some(judge::tone(ready)),
            style,
        );
    }
    lines + &field("Waits for", &facts.waits_for, None, style)
}

fn revisions(facts: &Facts, now: Timestamp) -> Table {
    let mut table = Table::new(&[
        "REVISION", "ROLE", "MODULE", "HEIGHT", "BEHIND", "BLOCKS/S", "LEFT", "HEALTHY", "KEPT",
    ]);
    for revision in &facts.revisions {
        let module = revision
            .module_sha256
            .as_deref()
            .map(|digest| digest.get(..DIGEST_DIGITS).unwrap_or(digest));
        let healthy = revision.healthy_since.as_ref().map(|since| age(since, now));
        let kept = revision.until.as_ref().map(|moment| until(moment, now));
        table.row(vec![
            revision.revision.as_str().into(),
            revision.role.into(),
            Cell::maybe(module),
            Cell::maybe(revision.height),
            Cell::maybe(revision.behind),
            Cell::maybe(revision.blocks_per_second.as_deref()),
            Cell::maybe(revision.time_left.as_deref()),
            Cell::maybe(healthy),
            Cell::maybe(kept),
        ]);
    }
    table
}

fn pods(pods: &[PodRow]) -> Table {
    let mut table =
        Table::new(&["POD", "PHASE", "HEIGHT", "GUEST", "RESIDENT", "RESTARTS", "MESSAGE"]).cutting_first(&["MESSAGE"]);
    for pod in pods {
        table.row(vec![
            pod.name.as_str().into(),
            Cell::toned(pod.phase.to_string(), judge::phase(pod.phase)),
            Cell::maybe(pod.height),
            Cell::maybe(pod.guest_bytes.map(units::bytes)),
            Cell::maybe(pod.resident_bytes.map(units::bytes)),
            Cell::maybe(Some(pod.restarts)),
            Cell::maybe(pod.message.as_deref()),
        ]);
    }
    table
}

fn conditions(conditions: &[Condition], now: Timestamp) -> Table {
    let mut table = Table::new(&["CONDITION", "STATUS", "REASON", "AGE"]);
    for condition in conditions {
        table.row(vec![
            condition.type_.as_str().into(),
            Cell::toned(condition.status.as_str(), judge::tone(condition)),
            condition.reason.as_str().into(),
            age(&condition.last_transition_time, now).into(),
        ]);
    }
    table
}

/// What a newer operator wrote and this program leaves out.
fn unread(facts: &Facts, style: Style) -> String {
    if facts.unread.is_empty() {
        return String::new();
    }
    let said = format!(
        "{}: a newer operator wrote it; a newer kubectl-shrewd reads it",
        facts.unread.join(", ")
    );
    field("Not shown", &said, Some(Tone::Warning), style)
}
