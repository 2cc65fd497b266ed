//! What in a file is prose.

use std::path::Path;

use crate::fences::outside_fences;

/// What a word stands for that is no prose: no phrase reaches across it.
pub(super) const BREAK: &str = "|";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Markdown,
    Rust,
    /// Scripts and settings: code there hardly ever looks like a phrase.
    Other,
}

impl Kind {
    pub(super) fn of(path: &Path) -> Self {
        match path.extension().and_then(|it| it.to_str()) {
            Some("md") => Self::Markdown,
            Some("rs") => Self::Rust,
            _ => Self::Other,
        }
    }

    /// As many lines as the content has, without what is no prose.
    pub(super) fn prose(self, content: &str) -> Vec<String> {
        match self {
            Self::Markdown => markdown(content),
            Self::Rust => rust(content),
            Self::Other => content.lines().map(Into::into).collect(),
        }
    }
}

/// Without code.
fn markdown(content: &str) -> Vec<String> {
    let outside = outside_fences(content);
    let without_code = |line: &str| {
        line.split('`')
            .step_by(2)
            .collect::<Vec<_>>()
            .join(&format!(" {BREAK} "))
    };
    let lines = content.lines().zip(outside);
    lines
        .map(|(line, outside)| if outside { without_code(line) } else { String::new() })
        .collect()
}

/// Comments and strings.
fn rust(content: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut state = State::Code;
    let mut rest = content;
    while let Some(first) = rest.chars().next() {
        let (next, taken, prose) = state.step(first, rest);
        let last = lines.len() - 1;
        if first == '\n' {
            lines.push(String::new());
        } else if next != state {
            lines[last].push_str(&format!(" {BREAK} "));
        } else if prose {
            lines[last].push_str(&rest[..taken]);
        }
        state = next;
        rest = &rest[taken..];
    }
    lines.into_iter().map(|line| unmarked(&line).into()).collect()
}

/// A line without what marks it as a comment or as one that is continued.
fn unmarked(line: &str) -> &str {
    let line = line.trim_matches([' ', '\\']);
    let inner = line.strip_prefix(BREAK).unwrap_or(line).trim_start();
    inner.strip_prefix(['/', '!']).unwrap_or(inner)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    Comment,
    Block,
    Text,
    /// With this many `#` around it.
    RawText(usize),
}

impl State {
    /// The state after the start of `rest`, the bytes that belong to it, and whether they are prose.
    fn step(self, first: char, rest: &str) -> (Self, usize, bool) {
        let one = first.len_utf8();
        match self {
            Self::Code => Self::in_code(first, rest),
            Self::Comment if first == '\n' => (Self::Code, one, false),
            Self::Block if rest.starts_with("*/") => (Self::Code, 2, false),
            Self::Text if first == '"' => (Self::Code, one, false),
            // What is escaped is no letter of a phrase; the end of a line still is one.
            Self::Text if first == '\\' => (self, one + escaped(&rest[one..]), false),
            Self::RawText(marks) if ends_raw(rest, marks) => (Self::Code, one + marks, false),
            _ => (self, one, true),
        }
    }

    fn in_code(first: char, rest: &str) -> (Self, usize, bool) {
        let one = first.len_utf8();
        if rest.starts_with("//") {
            return (Self::Comment, 2, false);
        }
        if rest.starts_with("/*") {
            return (Self::Block, 2, false);
        }
        if let Some(raw) = rest.strip_prefix("r#") {
            let marks = 1 + raw.len() - raw.trim_start_matches('#').len();
            if rest[1 + marks..].starts_with('"') {
                return (Self::RawText(marks), marks + 2, false);
            }
        }
        match first {
            '"' => (Self::Text, one, false),
            '\'' => (Self::Code, quoted(rest), false),
            _ => (Self::Code, one, false),
        }
    }
}

/// The bytes of what a backslash stands before.
fn escaped(rest: &str) -> usize {
    rest.chars().next().filter(|it| *it != '\n').map_or(0, char::len_utf8)
}

fn ends_raw(rest: &str, marks: usize) -> bool {
    rest.strip_prefix('"')
        .is_some_and(|it| it.len() - it.trim_start_matches('#').len() >= marks)
}

/// The bytes of a character's literal; one for the start of a lifetime.
fn quoted(rest: &str) -> usize {
    let mut inner = rest[1..].char_indices();
    match (inner.next(), inner.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = 1 + at + escaped.len_utf8();
            rest[from..].find('\'').map_or(1, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => 1 + at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn markdown_is_prose_but_for_code() {
        let prose = Kind::Markdown.prose("one `for ever` two\n```sh\nfor ever\n```\nthree");
        assert_eq!(prose, ["one  |  two", "", "", "", "three"]);
    }

    #[test]
    fn rust_is_comments_and_strings() {
        let source = "//! top\nfn told(c: char) -> &'static str { // why\n    if c == '\"' || c == '\\'' { \"a \\\"b\\\" \\\n    c\" } else { r#\"d \"e\"\"# } /* f */\n}\n/// end";
        let words: Vec<String> = Kind::Rust
            .prose(source)
            .iter()
            .map(|line| {
                line.split(['|', ' '])
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(words, ["top", "why", "a b", "c d \"e\" f", "", "end"]);
    }
}
