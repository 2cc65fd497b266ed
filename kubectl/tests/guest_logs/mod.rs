//! `logs --guest`: pods without a log, pods with clocks of their own, connections that end.

use std::{cell::RefCell, io, ops::ControlFlow};

use kubectl_shrewd::{
    cluster::Cluster,
    commands::logs::{self, Outlets, Wanted},
};
use serde_json::json;

use crate::{
    ONE, POD, PODS, items, pod,
    server::{Answer, Calls, refusal, server},
    stage,
};

const OTHER: &str = "outpoints-7c1d9a0b2e-1";

/// What was printed, what was noted, and how it ended.
#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    notes: Vec<String>,
    ended: Option<anyhow::Result<bool>>,
}

impl Said {
    /// The last words of each line.
    fn words(&self) -> Vec<&str> {
        let words = self.lines.iter().map(|line| line.trim_end().rsplit(' ').next());
        words.map(Option::unwrap_or_default).collect()
    }

    fn error(&self) -> String {
        format!("{:#}", self.ended.as_ref().unwrap().as_ref().unwrap_err())
    }
}

/// What the command says to a reader who leaves after so many lines.
async fn said(cluster: &Cluster, tail: usize, follow: bool, lines_max: usize) -> Said {
    let said = RefCell::new(Said::default());
    let print = |line: &str| -> io::Result<ControlFlow<()>> {
        let lines = &mut said.borrow_mut().lines;
        if lines.len() == lines_max {
            return Ok(ControlFlow::Break(()));
        }
        lines.push(line.to_owned());
        Ok(ControlFlow::Continue(()))
    };
    let note = |remark: &str| said.borrow_mut().notes.push(remark.to_owned());
    let outlets = Outlets {
        print: &print,
        note: &note,
    };
    let ended = logs::logs(cluster, "outpoints", Wanted { tail, follow }, outlets).await;
    let mut said = said.take();
    said.ended = Some(ended);
    said
}

/// A cluster with two pods, whose logs are answered by a function of the pod, and of how often it was asked before.
fn two_pods(log: impl Fn(&str, usize) -> Answer + Send + 'static) -> (Cluster, Calls) {
    server(move |call, calls| match call {
        ONE => Answer::ok(&stage("following")),
        PODS => {
            let mut other = pod(true);
            other["metadata"]["name"] = json!(OTHER);
            items(&[pod(true), other])
        }
        call => log(if call.contains(OTHER) { OTHER } else { POD }, calls.count(call)),
    })
}

/// A line of a guest, written in this second.
fn line(second: u32, words: &str) -> String {
    format!("2026-11-20T12:00:{second:02}.000001Z  INFO guest: {words} height=7\n")
}

fn waiting() -> Answer {
    let message = format!("container \"indexer\" in pod \"{OTHER}\" is waiting to start: ContainerCreating");
    let status =
        json!({ "kind": "Status", "status": "Failure", "code": 400, "reason": "BadRequest", "message": message });
    Answer::text(400, &status.to_string())
}

#[tokio::test]
async fn lines_of_guests_are_shown_and_others_are_not() {
    let log = "2026-11-20T12:00:00.1Z  INFO guest: one height=7\n\
               2026-11-20T12:00:00.2Z  INFO indexer: indexed height=7\n\
               2026-11-20T12:00:00.3Z  INFO guest: two height=8\n";
    let (cluster, _) = server(move |call, _| match call {
        ONE => Answer::ok(&stage("following")),
        PODS => items(&[pod(true)]),
        _ => Answer::text(200, log),
    });
    let last = said(&cluster, 1, false, 9).await;
    assert_eq!(last.lines, ["2026-11-20T12:00:00.3Z   block 8   two\n"]);
    assert_eq!(said(&cluster, 9, false, 9).await.words(), ["one", "two"]);
}

#[tokio::test]
async fn new_lines_of_guests_follow_those_before_and_none_twice() {
    // The clock of the other pod is behind: its new line is older than the first one of this pod.
    let (cluster, calls) = two_pods(|pod, asked| match (pod, asked) {
        (POD, 1) => Answer::text(200, &line(30, "one")),
        (POD, _) => Answer::text(200, &(line(30, "one") + &line(40, "three"))),
        (_, 1) => Answer::text(200, &line(10, "zero")),
        _ => Answer::text(200, &(line(10, "zero") + &line(10, "same") + &line(11, "two"))),
    });
    let said = said(&cluster, 9, true, 9).await;
    let (first, mut new) = (said.words()[..2].to_vec(), said.words()[2..].to_vec());
    new.sort_unstable();
    assert_eq!((first, new), (vec!["zero", "one"], vec!["same", "three", "two"]));
    assert!(matches!(said.ended, Some(Ok(true))), "{said:?}");
    // From a moment on that the node's clock decides, a little before the first read.
    let query = calls.queries(&format!("{PODS}/{POD}/log")).pop().unwrap();
    assert!(
        query.contains("sinceSeconds=5") && !query.contains("sinceTime"),
        "{query}"
    );
}

#[tokio::test]
async fn a_pod_without_a_log_does_not_hide_the_others() {
    for follow in [false, true] {
        let (cluster, _) = two_pods(|pod, asked| match (pod, asked) {
            (OTHER, _) => waiting(),
            (_, 1) => Answer::text(200, &line(1, "one")),
            _ => Answer::text(200, &line(2, "two")),
        });
        let said = said(&cluster, 9, follow, 9).await;
        assert_eq!(said.words(), if follow { vec!["one", "two"] } else { vec!["one"] });
        assert!(matches!(said.ended, Some(Ok(true))), "{said:?}");
        assert_eq!(said.notes.len(), 1, "{said:?}");
        assert!(
            said.notes[0].starts_with(&format!("Left out: the log of pod {OTHER} cannot be had"))
                && said.notes[0].ends_with("is waiting to start: ContainerCreating"),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn without_any_log_the_command_fails() {
    let cases = [
        (waiting(), "is waiting to start"),
        (refusal(403), "you may not get pods/log"),
    ];
    for (answer, words) in cases {
        let (cluster, _) = two_pods(move |_, _| answer.clone());
        let said = said(&cluster, 9, true, 9).await;
        assert!(said.error().contains(words), "{said:?}");
        assert_eq!(said.notes, [""; 0]);
    }
}

#[tokio::test]
async fn a_log_that_breaks_off_is_told_from_one_that_ends() {
    let (cluster, _) = two_pods(|pod, asked| match (pod, asked) {
        (_, 1) => Answer::text(200, ""),
        (POD, _) => Answer::cut(&line(1, "one")),
        _ => Answer::text(200, ""),
    });
    let said = said(&cluster, 9, true, 9).await;
    assert_eq!(said.words(), ["one"]);
    let words = format!("the log of pod {POD} broke off before its end; run the command again");
    assert!(said.error().starts_with(&words), "{said:?}");
}

#[tokio::test]
async fn a_reader_who_has_left_ends_it() {
    let (cluster, calls) = two_pods(|_, _| Answer::text(200, &(line(1, "one") + &line(2, "two"))));
    let first = said(&cluster, 9, true, 1).await;
    assert_eq!(first.words(), ["one"]);
    assert!(matches!(first.ended, Some(Ok(true))), "{first:?}");
    assert_eq!(calls.count(&format!("{PODS}/{POD}/log")), 1, "it is not followed");
    let (cluster, _) = two_pods(|pod, asked| match (pod, asked) {
        (_, 1) => Answer::text(200, ""),
        // Whoever reads on comes to where it breaks off.
        (POD, _) => Answer::cut(&(line(1, "one") + &line(2, "two"))),
        _ => Answer::text(200, ""),
    });
    let second = said(&cluster, 9, true, 1).await;
    assert_eq!(second.words(), ["one"]);
    assert!(matches!(second.ended, Some(Ok(false))), "{second:?}");
}
