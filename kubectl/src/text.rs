//! (pure) Text of guests, nodes and pods on a terminal: without what would steer it, wrapped and cut to its width.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The columns that a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// One line of it, in which control characters, and those that turn the direction of writing, are visible: a guest's
/// words must not move the cursor, nor pass for ours.
#[must_use]
pub fn plain(text: &str) -> String {
    let is_steering = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut plain = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '\n' | '\t' => plain.push(' '),
            '\r' => {}
            c if is_steering(c) => plain.extend(c.escape_default()),
            c => plain.push(c),
        }
    }
    plain
}

/// The text in so many columns: what does not fit is left out, for which `…` stands at the end.
#[must_use]
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| match left.checked_sub(c.width().unwrap_or(0)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut short: String = text.chars().take_while(fits).collect();
    if columns > 0 {
        short.push('…');
    }
    short
}

/// The text in lines of so many columns, broken at spaces. A word that is longer than a line has one of its own.
#[must_use]
pub fn wrap(text: &str, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns else {
        return vec![text.to_owned()];
    };
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_steers_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2Jb\r\nc\td\u{202e}e\u{7}"),
            "a\\u{1b}[2Jb c d\\u{202e}e\\u{7}"
        );
        assert_eq!(plain(" höhe 区块 "), "höhe 区块");
    }

    #[test]
    fn a_cut_text_has_no_more_than_its_columns() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("区块链", 4), "区…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrap("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible so", Some(4)), ["incomprehensible", "so"]);
        assert_eq!(wrap("one two three", None), ["one two three"]);
    }
}
