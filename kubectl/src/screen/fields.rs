//! (pure) Fields as `kubectl describe` has them: a name, and what is said about it.

use crate::{
    style::{Style, Tone},
    text,
};

/// Columns of the longest name and the space after it.
const NAMES: usize = 16;
/// A terminal that leaves fewer columns than this beside the names is not wrapped for.
const BESIDE_MIN: usize = 24;

/// One field, in as many lines as it takes.
pub(in crate::screen) fn field(name: &str, said: &str, tone: Option<Tone>, style: Style) -> String {
    let beside = style.width.map(|width| width.saturating_sub(NAMES).max(BESIDE_MIN));
    let mut head = format!("{name}:");
    let mut lines = String::new();
    for line in text::wrap(&text::plain(said), beside) {
        let gap = " ".repeat(NAMES.saturating_sub(text::width(&head)));
        lines.push_str(&style.paint(&head, Some(Tone::Title).filter(|_| !head.is_empty())));
        lines.push_str(&gap);
        lines.push_str(&style.paint(&line, tone));
        lines.push('\n');
        head.clear();
    }
    lines
}
