//! How long lines of prose are.

use super::problem::Problem;
use crate::fences::outside_fences;

/// As long as lines of code are (`rustfmt.toml`), so that a window for one shows the other.
const COLUMNS_MAX: usize = 120;

/// Lines of Markdown that are too long and could be shorter: tables, code and a single long link cannot.
pub(super) fn too_long(content: &str) -> Vec<Problem> {
    let lines = content.lines().zip(outside_fences(content)).enumerate();
    lines
        .filter(|(_, (line, is_outside))| *is_outside && !line.trim_start().starts_with('|'))
        .filter(|(_, (line, _))| line.split_whitespace().filter(|word| !is_marker(word)).nth(1).is_some())
        .map(|(number, (line, _))| (number + 1, line.chars().count()))
        .filter(|(_, columns)| *columns > COLUMNS_MAX)
        .map(|(line, columns)| Problem {
            line,
            what: format!("{columns} columns: end lines of prose at {COLUMNS_MAX}"),
        })
        .collect()
}

/// What begins an item of a list, a quotation or a heading.
fn is_marker(word: &str) -> bool {
    matches!(word, "-" | "*" | ">") || word.chars().all(|it| it == '#')
}

#[cfg(test)]
mod tests {
    use super::too_long;

    #[test]
    fn lines_that_can_be_shorter_must_be() {
        let long = "x".repeat(121);
        let words = format!("{} yy", "x".repeat(118));
        for (text, expected) in [
            (words.clone(), 1),
            (words[1..].to_owned(), 0),
            (format!("- {words}"), 1),
            (format!("- {long}"), 0),
            (long, 0),
            (format!("| {words} |"), 0),
            (format!("```\n{words}\n```"), 0),
            (format!("```\n```\n{words}"), 1),
        ] {
            assert_eq!(too_long(&text).len(), expected, "{text}");
        }
    }
}
