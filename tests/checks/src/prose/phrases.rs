//! The list of phrases, and where they occur.

use super::{problem::Problem, text::BREAK};

/// What separates a phrase from what to write in its place.
const SEPARATOR: &str = "->";

/// Phrases that are refused, each with what to write in its place.
#[derive(Debug)]
pub struct Phrases(Vec<Phrase>);

#[derive(Debug)]
struct Phrase {
    words: Vec<String>,
    instead: String,
}

/// A line of the list is no phrase.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not of the form `phrase {SEPARATOR} what to write`: {text}")]
pub struct Malformed {
    line: usize,
    text: String,
}

/// A word of prose.
struct Word {
    line: usize,
    text: String,
    /// A sentence or a part of one ends with it.
    ends: bool,
}

impl Phrases {
    /// A phrase a line; empty lines and those that start with `#` are left out.
    ///
    /// # Errors
    /// For a line without a phrase or without what to write in its place.
    pub fn parse(list: &str) -> Result<Self, Malformed> {
        let lines = list.lines().enumerate();
        lines
            .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
            .map(|(number, line)| {
                Phrase::parse(line).ok_or_else(|| Malformed {
                    line: number + 1,
                    text: line.into(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Where phrases occur in lines of prose, also across the ends of lines.
    pub(super) fn find(&self, lines: &[String]) -> Vec<Problem> {
        let words = words(lines);
        let mut problems = Vec::new();
        for at in 0..words.len() {
            for phrase in self.0.iter().filter(|it| it.is_at(&words[at..])) {
                problems.push(Problem {
                    line: words[at].line,
                    what: format!("\"{}\": {}", phrase.words.join(" "), phrase.instead),
                });
            }
        }
        problems
    }
}

impl Phrase {
    fn parse(line: &str) -> Option<Self> {
        let (phrase, instead) = line.split_once(SEPARATOR)?;
        let words: Vec<String> = phrase.split_whitespace().map(str::to_lowercase).collect();
        let instead = instead.trim();
        (!words.is_empty() && !instead.is_empty()).then(|| Self {
            words,
            instead: instead.into(),
        })
    }

    fn is_at(&self, words: &[Word]) -> bool {
        let last = self.words.len() - 1;
        let mut pairs = self.words.iter().zip(words).enumerate();
        words.len() > last
            && pairs.all(|(number, (wanted, word))| *wanted == word.text && (number == last || !word.ends))
    }
}

fn words(lines: &[String]) -> Vec<Word> {
    let mut words = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let line_number = number + 1;
        if line.trim().is_empty() {
            words.push(broken(line_number));
        }
        for (position, raw) in line.split_whitespace().enumerate() {
            let text = raw.trim_matches(|it: char| !it.is_alphanumeric()).to_lowercase();
            if !text.is_empty() {
                words.push(Word {
                    line: line_number,
                    text,
                    ends: raw.ends_with(['.', ',', ';', ':', '!', '?', ')', '"']),
                });
            } else if position > 0 || !matches!(raw, "#" | ">" | "//" | "///" | "//!") {
                // A cell, an item of a list; what marks a comment is none.
                words.push(broken(line_number));
            }
        }
    }
    words
}

fn broken(line: usize) -> Word {
    Word {
        line,
        text: BREAK.into(),
        ends: true,
    }
}

#[cfg(test)]
mod tests {
    use super::Phrases;

    #[track_caller]
    fn lines(text: &str) -> Vec<usize> {
        let phrases = Phrases::parse("# a comment\n\nfor ever -> indefinitely\nis told -> receives\n").unwrap();
        let lines: Vec<String> = text.lines().map(Into::into).collect();
        phrases.find(&lines).into_iter().map(|it| it.line).collect()
    }

    #[test]
    fn finds_a_phrase_wherever_it_stands() {
        assert_eq!(lines("It is TOLD, and\nwaits for ever."), [1, 2]);
        assert_eq!(lines("it waits for\never"), [1]);
        assert_eq!(lines("# it waits for\n# ever"), [1]);
    }

    #[test]
    fn a_phrase_reaches_across_nothing() {
        for text in [
            "is toldest",
            "what it is: told",
            "for\n\never",
            "for\n- ever",
            "is | told",
            "is",
            "this told",
        ] {
            assert_eq!(lines(text), [0; 0], "{text}");
        }
    }

    #[test]
    fn a_line_without_a_suggestion_is_refused() {
        for list in ["for ever", "for ever ->", "-> indefinitely"] {
            assert!(Phrases::parse(list).is_err(), "{list}");
        }
    }
}
