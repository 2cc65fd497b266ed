//! Phrases that read badly, and lines that are too long, in what people read: Markdown, comments, messages.

mod phrases;
mod problem;
mod text;
mod width;

use std::path::Path;

pub use phrases::{Malformed, Phrases};
pub use problem::Problem;

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
