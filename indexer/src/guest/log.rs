//! What a guest logs: fragments joined into lines, bounded for each run.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::{abi, log_rate::LogRate};
use crate::chain::Height;

/// The most of one line that is shown.
const LINE_BYTES_MAX: usize = 4096;

/// The most one block or view may log. Enough for a panic with its backtrace and some progress lines.
const RUN_BYTES_MAX: usize = 64 << 10;

/// What a line costs besides its text: time, level, height, so that empty lines come to an end as well.
const LINE_COST_BYTES: usize = 64;

/// How many of the last lines a failure repeats. Rust guests log a panic in two or three lines just before they trap,
/// and the trap alone says nothing.
const LAST_LINES_MAX: usize = 4;

/// How many bytes of those lines are repeated; a halt's message has room for 1,000 characters.
const LAST_BYTES_MAX: usize = 400;

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
#[derive(Debug)]
pub(super) struct GuestLog {
    rate: Arc<LogRate>,
    used_bytes: usize,
    /// The line that has not ended yet, or its first [`LINE_BYTES_MAX`] bytes.
    line: Vec<u8>,
    /// What of that line did not fit.
    cut_bytes: usize,
    last_lines: VecDeque<String>,
}

impl GuestLog {
    /// A run that has said nothing yet. Lines beyond `rate`, which all runs share, are left out.
    pub(super) fn new(rate: Arc<LogRate>) -> Self {
        Self {
            rate,
            used_bytes: 0,
            line: Vec::new(),
            cut_bytes: 0,
            last_lines: VecDeque::new(),
        }
    }

    /// The same for the next run.
    pub(super) fn begin_run(&mut self) {
        *self = Self::new(Arc::clone(&self.rate));
    }

    /// Takes what the guest wrote, which need not be a line: guests print number by number and word by word.
    pub(super) fn text(&mut self, speaker: Speaker, bytes: &[u8]) {
        let mut parts = bytes.split(|byte| *byte == b'\n');
        // `split` yields one part at least; each further one means that the line before it has ended.
        if let Some(first) = parts.next() {
            self.push(first);
        }
        for part in parts {
            self.end_line(speaker);
            self.push(part);
        }
    }

    /// The run is over: what has no line end yet is a line too.
    pub(super) fn end(&mut self, speaker: Speaker) {
        if !self.line.is_empty() {
            self.end_line(speaker);
        }
    }

    /// The last whole lines that were not empty, oldest first, as one text.
    pub(super) fn last_words(&self) -> Option<String> {
        let lines: Vec<&str> = self.last_lines.iter().map(String::as_str).collect();
        (!lines.is_empty()).then(|| lines.join(" | "))
    }

    fn push(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(LINE_BYTES_MAX - self.line.len());
        self.line.extend_from_slice(&bytes[..fits]);
        self.cut_bytes += bytes.len() - fits;
    }

    fn end_line(&mut self, speaker: Speaker) {
        let line = std::mem::take(&mut self.line);
        let cut_bytes = std::mem::take(&mut self.cut_bytes);
        self.remember(&line);
        if self.used_bytes < RUN_BYTES_MAX {
            self.used_bytes += line.len() + LINE_COST_BYTES;
            let mut text = abi::utf8(line.trim_ascii_end(), LINE_BYTES_MAX);
            if cut_bytes > 0 {
                text.push_str(&format!("… ({cut_bytes} bytes more)"));
            }
            if self.rate.admits(line.len() + LINE_COST_BYTES, Instant::now()) {
                show(speaker, &text);
            }
            if self.used_bytes >= RUN_BYTES_MAX {
                tracing::warn!(target: "guest", ?speaker, "the guest logs too much; the rest of this run is left out");
            }
        }
        // Its memory serves the next line.
        self.line = line;
        self.line.clear();
    }

    fn remember(&mut self, line: &[u8]) {
        let text = abi::utf8(line.trim_ascii(), LAST_BYTES_MAX);
        if text.is_empty() {
            return;
        }
        self.last_lines.push_back(text);
        let bytes = |lines: &VecDeque<String>| lines.iter().map(String::len).sum::<usize>();
        while self.last_lines.len() > LAST_LINES_MAX
            || (self.last_lines.len() > 1 && bytes(&self.last_lines) > LAST_BYTES_MAX)
        {
            self.last_lines.pop_front();
        }
    }

    #[cfg(test)]
    fn used_bytes(&self) -> usize {
        self.used_bytes
    }
}

fn show(speaker: Speaker, text: &str) {
    match speaker {
        Speaker::Block(height) => tracing::info!(target: "guest", height = height.0, "{text}"),
        Speaker::View(height) => tracing::debug!(target: "guest", view_height = height.0, "{text}"),
        Speaker::Preview(height) => tracing::debug!(target: "guest", preview_height = height.0, "{text}"),
        Speaker::Start => tracing::info!(target: "guest", "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> GuestLog {
        GuestLog::new(Arc::default())
    }

    fn words(fragments: &[&[u8]]) -> Option<String> {
        let mut log = log();
        fragments.iter().for_each(|bytes| log.text(Speaker::Start, bytes));
        log.end(Speaker::Start);
        log.last_words()
    }

    #[test]
    fn fragments_are_joined_into_lines() {
        let cases: [(&[&[u8]], Option<&str>); 7] = [
            (&[b"height ", b"7", b" of ", b"9", b"\n"], Some("height 7 of 9")),
            (&[b"one\ntwo\nth", b"ree"], Some("one | two | three")),
            (&[b"no line end"], Some("no line end")),
            (&[b"caf\xc3", b"\xa9\n"], Some("café")),
            (&[b"\r\n", b"\n\n", b"  windows \r\n"], Some("windows")),
            (&[b"1\n2\n3\n4\n5\n6\n"], Some("3 | 4 | 5 | 6")),
            (&[b"", b"\n"], None),
        ];
        for (fragments, expected) in cases {
            assert_eq!(words(fragments).as_deref(), expected, "{fragments:?}");
        }
    }

    #[test]
    fn last_words_are_whole_lines_within_their_bound() {
        let long = [b'x'; 300];
        let text = [b"first\n", &long[..], b"\n", &long, b"\n"].concat();
        assert_eq!(words(&[&text]), Some("x".repeat(300)), "one of them fits");
        let endless = vec![b'y'; LINE_BYTES_MAX + 9];
        let expected = format!(
            "{}… ({} bytes more)",
            "y".repeat(LAST_BYTES_MAX),
            LINE_BYTES_MAX - LAST_BYTES_MAX
        );
        assert_eq!(words(&[&endless]), Some(expected));
    }

    #[test]
    fn last_words_are_kept_even_when_lines_are_left_out() {
        let mut log = log();
        for _ in 0..RUN_BYTES_MAX / LINE_COST_BYTES {
            log.text(Speaker::Start, b"\n");
        }
        assert_eq!(log.used_bytes(), RUN_BYTES_MAX);
        log.text(Speaker::Start, b"panicked at \xff\n");
        assert_eq!(log.used_bytes(), RUN_BYTES_MAX, "no more than the bound is shown");
        assert_eq!(log.last_words().as_deref(), Some("panicked at \u{fffd}"));
        log.begin_run();
        assert_eq!((log.used_bytes(), log.last_words()), (0, None));
    }
}
