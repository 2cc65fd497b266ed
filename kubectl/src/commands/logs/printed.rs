//! (pure) Which lines of a log that is read twice are new.

use std::cmp::Ordering;

use crate::guest_log::GuestLine;

/// How far a pod's log has been read. Each pod has a clock of its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Printed {
    /// The time of its newest line.
    newest: String,
    /// Lines of this time that have been read and may come again.
    of_that_time: usize,
}

impl Printed {
    /// As far as these lines, which are all of one pod.
    pub(super) fn of(lines: &[GuestLine]) -> Self {
        let newest = lines.iter().map(|line| line.time.as_str()).max().unwrap_or_default();
        Self {
            newest: newest.to_owned(),
            of_that_time: lines.iter().filter(|line| line.time == newest).count(),
        }
    }

    /// Whether a line has not been read before, when the log is read once more from some moment before its end on.
    pub(super) fn is_new(&mut self, line: &GuestLine) -> bool {
        match line.time.as_str().cmp(&self.newest) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => match self.of_that_time.checked_sub(1) {
                Some(left) => {
                    self.of_that_time = left;
                    false
                }
                None => true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(time: &str) -> GuestLine {
        GuestLine {
            time: time.into(),
            at: None,
            text: String::new(),
        }
    }

    #[test]
    fn a_line_that_is_read_again_is_known_and_one_of_the_same_time_is_not() {
        let lines = |times: &[&str]| -> Vec<GuestLine> { times.iter().map(|time| line(time)).collect() };
        let mut printed = Printed::of(&lines(&["1", "2", "2"]));
        let again = lines(&["1", "2", "2", "2", "3"]);
        let new: Vec<bool> = again.iter().map(|line| printed.is_new(line)).collect();
        assert_eq!(new, [false, false, false, true, true]);
        assert!(Printed::of(&[]).is_new(&again[0]));
    }
}
