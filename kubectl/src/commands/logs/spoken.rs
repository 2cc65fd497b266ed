//! (pure) Lines of guests, and how they are shown.

use std::{io, ops::ControlFlow};

use super::printed::Printed;
use crate::{failure::Failure, guest_log::GuestLine, text};

/// Where what is said goes.
#[derive(Clone, Copy)]
pub struct Outlets<'a> {
    /// Prints a line as soon as it is there. It says whether to stop, as nobody reads on.
    pub print: &'a dyn Fn(&str) -> io::Result<ControlFlow<()>>,
    /// Says which pods are left out.
    pub note: &'a dyn Fn(&str),
}

/// A guest's line, and the pod it is of.
pub(super) type Spoken = (GuestLine, String);

/// A pod, and what has been read of its log; none if it cannot be had yet.
pub(super) struct Source {
    pub(super) pod: String,
    pub(super) printed: Option<Printed>,
}

/// That a pod has no log to show.
pub(super) fn left_out(pod: &str, failure: &Failure) -> String {
    format!("Left out: the log of pod {pod} cannot be had: {failure}")
}

/// The last so many lines of all pods, oldest first.
pub(super) fn last(mut lines: Vec<Spoken>, tail: usize) -> Vec<Spoken> {
    lines.sort();
    lines.split_off(lines.len().saturating_sub(tail))
}

/// A line as it is printed.
pub(super) fn shown(line: &GuestLine, pod: &str, with_pod: bool) -> String {
    let mut parts = vec![text::plain(&line.time)];
    parts.extend(with_pod.then(|| pod.to_owned()));
    parts.extend(line.at.clone());
    parts.push(text::plain(&line.text));
    parts.join("   ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(time: &str, pod: &str) -> Spoken {
        let line = GuestLine {
            time: time.into(),
            at: Some("block 7".into()),
            text: "a\u{1b}[2Jb".into(),
        };
        (line, pod.into())
    }

    #[test]
    fn the_last_lines_of_all_pods_are_in_the_order_of_time() {
        let lines = vec![spoken("3", "a"), spoken("1", "a"), spoken("2", "b")];
        let times: Vec<String> = last(lines.clone(), 2).into_iter().map(|(line, _)| line.time).collect();
        assert_eq!(times, ["2", "3"]);
        assert_eq!(last(lines, 9).len(), 3);
    }

    #[test]
    fn a_guests_words_do_not_steer_the_terminal() {
        let (line, pod) = spoken("3", "pod-0");
        assert_eq!(shown(&line, &pod, true), "3   pod-0   block 7   a\\u{1b}[2Jb\n");
        assert_eq!(shown(&line, &pod, false), "3   block 7   a\\u{1b}[2Jb\n");
    }
}
