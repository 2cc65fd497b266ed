//! (pure) The screen of `why`.

use k8s_openapi::jiff::Timestamp;

use crate::{
    age::age,
    facts::Facts,
    findings::Finding,
    style::{Style, Tone},
    text,
};

/// Before each line of a finding but its first.
const INDENT: &str = "   ";
/// A terminal that is narrower is not wrapped for.
const COLUMNS_MIN: usize = 40;

/// Each finding with what to do about it.
#[must_use]
pub fn why(facts: &Facts, findings: &[Finding], now: Timestamp, style: Style) -> String {
    let about = format!("{} in namespace {}", facts.name, facts.namespace);
    let head = match findings {
        [] => format!("{about} is as it should be. It waits for {}.", facts.waits_for),
        [_] => format!("{about}: one thing is not as it should be."),
        many => format!("{about}: {} things are not as they should be.", many.len()),
    };
    let mut lines = paragraph(&head, "", "", None, style);
    for (number, finding) in (1_usize..).zip(findings) {
        lines.push('\n');
        lines += &one(number, finding, now, style);
    }
    lines
}

fn one(number: usize, finding: &Finding, now: Timestamp, style: Style) -> String {
    let passes_by_itself = finding.what_to_do.starts_with("Nothing");
    let tone = if passes_by_itself { Tone::Warning } else { Tone::Bad };
    let mut title = finding.reason.clone();
    if !finding.conditions.is_empty() {
        title += &format!(" ({})", finding.conditions.join(", "));
    }
    if let Some(since) = &finding.since {
        title += &format!(", for {}", age(since, now));
    }
    let mut lines = paragraph(&title, &format!("{number}. "), INDENT, Some(tone), style);
    for message in &finding.messages {
        lines += &paragraph(message, INDENT, INDENT, None, style);
    }
    let what_to_do = format!("What to do: {}", finding.what_to_do);
    lines + &paragraph(&what_to_do, INDENT, INDENT, None, style)
}

/// A text in lines that begin with these indents.
fn paragraph(said: &str, first: &str, others: &str, tone: Option<Tone>, style: Style) -> String {
    let columns = style
        .width
        .map(|width| width.max(COLUMNS_MIN) - text::width(others).min(COLUMNS_MIN));
    let lines = text::wrap(&text::plain(said), columns);
    let indents = std::iter::once(first).chain(std::iter::repeat(others));
    lines
        .iter()
        .zip(indents)
        .map(|(line, indent)| format!("{indent}{}\n", style.paint(line, tone)))
        .collect()
}
