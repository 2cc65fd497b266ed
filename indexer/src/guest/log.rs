//! What a guest logs, bounded: a guest in a loop must not fill a disk or hide everything else.

use super::abi;
use crate::chain::Height;

/// The most of one line that is shown.
const LINE_BYTES_MAX: usize = 4096;

/// The most one block or view may log. Enough for a panic with its backtrace and some progress lines.
const RUN_BYTES_MAX: usize = 64 << 10;

/// What a line costs besides its text: time, level, height, so that empty lines come to an end as well.
const LINE_COST_BYTES: usize = 64;

/// How much of the last line is repeated where a failure is told. Rust guests log the text of a panic just before they
/// trap, and the trap alone says nothing.
const LAST_WORDS_BYTES_MAX: usize = 400;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// A guest at a block: its lines are shown at level info.
    Block(Height),
    /// A guest at a view: at level debug, for clients decide how many there are.
    View(Height),
    /// A guest at the block of a preview: as at a view.
    Preview(Height),
    /// A guest being instantiated.
    Start,
}

/// The lines of one run.
#[derive(Debug, Default)]
pub(super) struct GuestLog {
    used_bytes: usize,
    last_words: Option<String>,
}

impl GuestLog {
    /// Shows a line, or leaves it out once the run has said too much; the first time with a warning.
    pub(super) fn line(&mut self, speaker: Speaker, bytes: &[u8]) {
        self.last_words = Some(abi::utf8(bytes, LAST_WORDS_BYTES_MAX).trim().to_owned()).filter(|s| !s.is_empty());
        if self.used_bytes >= RUN_BYTES_MAX {
            return;
        }
        self.used_bytes += bytes.len().min(LINE_BYTES_MAX) + LINE_COST_BYTES;
        let text = abi::utf8(bytes, LINE_BYTES_MAX);
        let text = text.trim_end();
        match speaker {
            Speaker::Block(height) => tracing::info!(target: "guest", height = height.0, "{text}"),
            Speaker::View(height) => tracing::debug!(target: "guest", view_height = height.0, "{text}"),
            Speaker::Preview(height) => tracing::debug!(target: "guest", preview_height = height.0, "{text}"),
            Speaker::Start => tracing::info!(target: "guest", "{text}"),
        }
        if self.used_bytes >= RUN_BYTES_MAX {
            tracing::warn!(target: "guest", ?speaker, "the guest logs too much, the rest of this run is left out");
        }
    }

    /// The last line that was not empty.
    pub(super) fn last_words(&self) -> Option<&str> {
        self.last_words.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_kept_even_when_lines_are_left_out() {
        let mut log = GuestLog::default();
        let lines = RUN_BYTES_MAX / LINE_COST_BYTES;
        for _ in 0..lines {
            log.line(Speaker::Start, b"");
        }
        assert_eq!(log.used_bytes, RUN_BYTES_MAX);
        log.line(Speaker::Start, b"panicked at \xff\n");
        assert_eq!(log.used_bytes, RUN_BYTES_MAX, "no more than the bound is shown");
        assert_eq!(log.last_words(), Some("panicked at \u{fffd}"));
    }
}
