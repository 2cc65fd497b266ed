//! (pure) Lines of a guest among those of its pod, in either of the indexer's two forms.

use serde_json::Value;

/// The target of lines that a guest wrote.
const TARGET: &str = "guest";

/// A line that a guest wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuestLine {
    /// When, as the pod wrote it.
    pub time: String,
    /// What it ran, if that is known: `block 7`, `view 7`.
    pub at: Option<String>,
    /// Its words.
    pub text: String,
}

/// The guest's line, if a line of a pod's log is one.
#[must_use]
pub fn guest_line(line: &str) -> Option<GuestLine> {
    if line.starts_with('{') {
        from_json(line)
    } else {
        from_text(line)
    }
}

/// Fields of a line that say what the guest ran, and its name.
const FIELDS: [(&str, &str); 3] = [
    ("view_height", "view"),
    ("preview_height", "preview"),
    ("height", "block"),
];

fn from_json(line: &str) -> Option<GuestLine> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line["target"] != TARGET {
        return None;
    }
    let at = FIELDS
        .iter()
        .find_map(|(field, what)| Some(format!("{what} {}", line[*field].as_u64()?)));
    Some(GuestLine {
        time: line["timestamp"].as_str()?.to_owned(),
        at,
        text: line["message"].as_str()?.to_owned(),
    })
}

/// `TIME LEVEL guest: WORDS height=7`.
fn from_text(line: &str) -> Option<GuestLine> {
    let (time, rest) = line.split_once(' ')?;
    let (_level, rest) = rest.trim_start().split_once(' ')?;
    let said = rest.strip_prefix(TARGET)?.strip_prefix(": ")?;
    let field = said.rsplit_once(' ').and_then(|(text, field)| {
        let (name, number) = field.split_once('=')?;
        let (_, what) = FIELDS.iter().find(|(field, _)| *field == name)?;
        number
            .parse::<u32>()
            .ok()
            .map(|number| (text, format!("{what} {number}")))
    });
    let (text, at) = match field {
        Some((text, at)) => (text, Some(at)),
        None => (said, None),
    };
    Some(GuestLine {
        time: time.to_owned(),
        at,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: Option<&str>, text: &str) -> Option<GuestLine> {
        Some(GuestLine {
            time: "2026-11-20T12:00:00.000001Z".into(),
            at: at.map(str::to_owned),
            text: text.into(),
        })
    }

    #[test]
    fn lines_of_guests_are_found_in_both_forms() {
        let json = concat!(
            r#"{"timestamp":"2026-11-20T12:00:00.000001Z","level":"INFO","#,
            r#""message":"a = b","height":7,"target":"guest"}"#
        );
        assert_eq!(guest_line(json), line(Some("block 7"), "a = b"));
        let text = "2026-11-20T12:00:00.000001Z  INFO guest: a = b height=7";
        assert_eq!(guest_line(text), line(Some("block 7"), "a = b"));
        let view = "2026-11-20T12:00:00.000001Z DEBUG guest: one two view_height=9";
        assert_eq!(guest_line(view), line(Some("view 9"), "one two"));
        let start = "2026-11-20T12:00:00.000001Z  INFO guest: hello width=9";
        assert_eq!(guest_line(start), line(None, "hello width=9"));
    }

    #[test]
    fn other_lines_are_not_a_guests() {
        for other in [
            "",
            "{",
            "no",
            r#"{"timestamp":"t","message":"guest: x","target":"indexer"}"#,
            "2026-11-20T12:00:00.000001Z  INFO indexer: guest: x height=7",
        ] {
            assert_eq!(guest_line(other), None, "{other}");
        }
    }
}
