//! (pure) How far the value of a field goes that is written in a line: in quotes, in brackets, or up to the next space.

use std::ops::Range;

/// What ends a sentence or a structure rather than a value.
const ENDS: [char; 10] = [',', ';', '.', ')', '}', '"', '\'', '`', '\\', '>'];
/// Words before a token, as in the header `Authorization`.
const SCHEMES: [&str; 5] = ["basic", "bearer", "digest", "negotiate", "token"];

/// The part of a text that is the value at its beginning, without quotes; none if there is none.
pub(super) fn value(text: &str) -> Option<Range<usize>> {
    let opening = quote(text);
    if opening > 0 {
        let (quotes, inner) = text.split_at(opening);
        return Some(opening..opening + quoted(inner, quotes));
    }
    let end = match text.starts_with(['[', '{']) {
        true => bracketed(text),
        false => with_token(text, word(text)),
    };
    (end > 0).then_some(0..end)
}

/// The length of the spaces that a text begins with.
pub(super) fn blank(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

/// The length of the quote that a text begins with, and of the backslashes before it where it is within another text.
pub(super) fn quote(text: &str) -> usize {
    let unescaped = text.trim_start_matches('\\');
    match unescaped.starts_with(['"', '\'']) {
        true => text.len() - unescaped.len() + 1,
        false => 0,
    }
}

/// The length of the word that a text begins with, and of what is in quotes in it: `Some("a b")`.
pub(super) fn word(text: &str) -> usize {
    let until_space = |from: usize| {
        let (_, rest) = text.split_at(from);
        from + rest.find(char::is_whitespace).unwrap_or(rest.len())
    };
    let mut end = until_space(0);
    let within = text.split_at(end).0.find("(\"").map(|at| at + "(\"".len());
    if let Some(from) = within
        && let Some(length) = text.split_at(from).1.find('"')
    {
        end = until_space(from + length);
    }
    text.split_at(end).0.trim_end_matches(ENDS).len()
}

/// The end of a word, or of the token behind it if the word says of which kind that is.
fn with_token(text: &str, end: usize) -> usize {
    let (word, rest) = text.split_at(end);
    let gap = blank(rest);
    if gap == 0 || !SCHEMES.contains(&word.to_ascii_lowercase().as_str()) {
        return end;
    }
    match self::word(rest.split_at(gap).1) {
        0 => end,
        length => end + gap + length,
    }
}

/// The length of what is in these quotes; all of it if they do not end.
fn quoted(inner: &str, quotes: &str) -> usize {
    let (levels, quote) = (quotes.len() - 1, quotes.chars().next_back());
    let mut backslashes = 0;
    for (at, c) in inner.char_indices() {
        // As many as before the first one; more are of quotes within it.
        if Some(c) == quote && backslashes % (2 * (levels + 1)) == levels {
            return at - levels;
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    inner.trim_end().len()
}

/// The length of what is in the brackets that a text begins with; all of it if they do not end.
fn bracketed(text: &str) -> usize {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '[' | '{' if !is_quoted => depth += 1,
            ']' | '}' if !is_quoted && depth == 1 => return at + 1,
            ']' | '}' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_goes_as_far_as_its_quotes_brackets_or_the_next_space() {
        let cases = [
            ("hunter2 and", "hunter2"),
            ("hunter2, and", "hunter2"),
            ("a=b;c/+==\n", "a=b;c/+=="),
            ("\"hunter 2\",\"a\":7", "hunter 2"),
            ("'hunter 2' x", "hunter 2"),
            (r#""hun\"ter\\","a":7"#, r#"hun\"ter\\"#),
            (r#"\"hun\\\"ter\",\"a\":7"#, r#"hun\\\"ter"#),
            ("\"no end\n", "no end"),
            ("[\"a]\", [\"b\"]] c", "[\"a]\", [\"b\"]]"),
            ("{a: 1} b", "{a: 1}"),
            ("[no end\n", "[no end"),
            ("Some(\"hunter 2\") b", "Some(\"hunter 2"),
            ("Bearer abc.def, then", "Bearer abc.def"),
            ("Basic", "Basic"),
            ("Basic \n", "Basic"),
        ];
        for (given, expected) in cases {
            let found = value(given).map(|range| given.get(range).unwrap());
            assert_eq!(found, Some(expected), "{given}");
        }
        assert_eq!(value(""), None);
        assert_eq!(value("), "), None);
    }
}
