//! (pure) Words of servers, nodes and guests in what the commands print.

/// How much of an input, an answer or a message is shown, in characters.
const START_MAX: usize = 66;

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
            c if is_steering(c) => plain.extend(c.escape_default()),
            c => plain.push(c),
        }
    }
    plain
}

/// Its beginning, and `…` if there is more.
pub(super) fn start(text: &str) -> String {
    match text.char_indices().nth(START_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `1 block`, `2 blocks`.
pub(super) fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_steers_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2J\u{1b}]0;b\u{7}\n\u{9b}c\td\u{202e}e\r"),
            "a\\u{1b}[2J\\u{1b}]0;b\\u{7} \\u{9b}c d\\u{202e}e"
        );
        assert_eq!(plain(" höhe 区块 "), "höhe 区块");
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        assert_eq!(start("höhe"), "höhe");
        let long = "é".repeat(START_MAX);
        assert_eq!(start(&long), long);
        assert_eq!(start(&format!("{long}é")), format!("{long}…"));
    }

    #[test]
    fn one_thing_is_no_several() {
        assert_eq!(counted(0, "block"), "0 blocks");
        assert_eq!(counted(1, "block"), "1 block");
        assert_eq!(counted(2, "block"), "2 blocks");
    }
}
