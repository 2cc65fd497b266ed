//! (pure) The screen of `diff`.

use crate::{
    changes::Plan,
    style::{Style, Tone},
    table::{Cell, Table},
    text,
};

/// What applying a manifest does.
#[must_use]
pub fn diff(name: &str, namespace: &str, plan: &Plan, style: Style) -> String {
    let mut head = format!("{name} in namespace {namespace}: ");
    head += &match (&plan.takeover, plan.problems.is_empty()) {
        (Some(takeover), true) => takeover.words(),
        _ => "the manifest is refused".into(),
    };
    let mut lines = text::wrap(&(head + "."), style.width).join("\n") + "\n";
    for problem in &plan.problems {
        lines += &(style.paint(&format!("- {}", text::plain(problem)), Some(Tone::Bad)) + "\n");
    }
    let mut table = Table::new(&["FIELD", "NOW", "AFTER", "WHAT IT DOES"]).cutting_first(&["NOW", "AFTER"]);
    for change in &plan.changes {
        let does = match change.is_refused {
            true => Cell::toned(change.does.as_str(), Tone::Bad),
            false => change.does.as_str().into(),
        };
        table.row(vec![
            change.field.as_str().into(),
            change.before.as_str().into(),
            change.after.as_str().into(),
            does,
        ]);
    }
    match table.render(style).as_str() {
        "" => lines,
        table => format!("{lines}\n{table}"),
    }
}
