//! What was seen during a wait, and when it changed.

use std::{collections::VecDeque, fmt, time::Duration};

/// As many changes as fit on a screen; the last ones are the most telling.
const KEPT_MAX: usize = 12;
/// A whole status of an Indexer would drown the other lines. The last error is printed in full next to this list.
const CHARS_MAX: usize = 300;

/// The last changes, oldest first.
#[derive(Default)]
pub(crate) struct Sightings {
    kept: VecDeque<Sighting>,
    dropped: u64,
}

/// The same thing seen once or several times in a row.
struct Sighting {
    text: String,
    first: Duration,
    last: Duration,
}

impl Sightings {
    /// Notes what was seen at a time since the beginning.
    pub(crate) fn note(&mut self, at: Duration, text: &str) {
        let text = shortened(text);
        match self.kept.back_mut() {
            Some(newest) if newest.text == text => newest.last = at,
            _ => {
                self.kept.push_back(Sighting {
                    text,
                    first: at,
                    last: at,
                });
                if self.kept.len() > KEPT_MAX {
                    self.kept.pop_front();
                    self.dropped += 1;
                }
            }
        }
    }
}

/// A continuation of the line that names the awaited condition; empty if nothing was seen.
impl fmt::Display for Sightings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kept.is_empty() {
            return Ok(());
        }
        write!(f, "; seen meanwhile:")?;
        if self.dropped > 0 {
            write!(f, "\n  {} earlier changes left out", self.dropped)?;
        }
        for Sighting { text, first, last } in &self.kept {
            write!(
                f,
                "\n  {:.1} s to {:.1} s: {text}",
                first.as_secs_f64(),
                last.as_secs_f64()
            )?;
        }
        writeln!(f)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sightings_in_a_row_are_one_line_with_their_times() {
        let mut seen = Sightings::default();
        assert_eq!(seen.to_string(), "");
        for (half_seconds, text) in [(0, "clouds"), (1, "clouds"), (2, "wind"), (4, "clouds")] {
            seen.note(Duration::from_millis(500 * half_seconds), text);
        }
        let lines = [
            "; seen meanwhile:",
            "  0.0 s to 0.5 s: clouds",
            "  1.0 s to 1.0 s: wind",
            "  2.0 s to 2.0 s: clouds",
            "",
        ];
        assert_eq!(seen.to_string(), lines.join("\n"));
    }

    #[test]
    fn only_the_last_changes_are_kept_and_long_ones_are_cut_at_a_character() {
        let mut seen = Sightings::default();
        for second in 0..20 {
            seen.note(Duration::from_secs(second), &format!("{second}{}", "ä".repeat(400)));
        }
        let text = seen.to_string();
        assert!(text.contains("8 earlier changes left out"), "{text}");
        assert_eq!(text.lines().filter(|line| line.ends_with("ä…")).count(), KEPT_MAX);
        assert!(text.contains("\n  19.0 s") && !text.contains("\n  7.0 s"), "{text}");
    }
}
