//! Phrases that read badly, and lines that are too long, in what people read: Markdown, comments, messages.

mod phrases;
mod text;
mod width;

use std::path::Path;

pub use phrases::{Malformed, Phrases};

/// A place in a file that should read otherwise.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there, and what to write.
    pub what: String,
}

/// The problems of a file, in order. The name decides what in it is prose.
pub fn problems(phrases: &Phrases, path: &Path, content: &str) -> Vec<Problem> {
    let kind = text::Kind::of(path);
    let mut problems = phrases.find(&kind.prose(content));
    if kind == text::Kind::Markdown {
        problems.extend(width::too_long(content));
    }
    problems.sort();
    problems
}
