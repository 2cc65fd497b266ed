use std::io;

use axum::{Json, Router, http::StatusCode, routing::post};
use indexer::commands::compare::{Error, Outcome, compare};
use serde_json::{Value, json};

use super::{Compared, compared};
use crate::{client::served, harness::Server};

/// The height of every fake.
const HEIGHT: u32 = 100;

/// A server whose blocks are those of all fakes, and whose views answer as a test says, by function and height.
async fn fake(view: impl Fn(&str, u64) -> Result<Value, StatusCode> + Clone + Send + Sync + 'static) -> String {
    let answer = move |Json(request): Json<Value>| {
        let answer = answered(&view, &request);
        async move { answer.map(Json) }
    };
    served(Router::new().route("/", post(answer))).await
}

fn answered(view: impl Fn(&str, u64) -> Result<Value, StatusCode>, request: &Value) -> Result<Value, StatusCode> {
    let params = &request["params"];
    match request["method"].as_str().unwrap() {
        "metashrew_height" => Ok(json!({"result": HEIGHT.to_string()})),
        "metashrew_getblockhash" => Ok(json!({"result": format!("0x{:064x}", params[0].as_u64().unwrap())})),
        _ => view(params[0].as_str().unwrap(), params[2].as_u64().unwrap()),
    }
}

/// A fake whose views all answer this.
pub(super) async fn saying(answer: Value) -> String {
    fake(move |_, _| Ok(answer.clone())).await
}

pub(super) fn refusal(code: i32) -> Value {
    json!({"error": {"code": code, "message": format!("words of {code}")}})
}

#[tokio::test]
async fn where_no_height_is_left_nothing_is_the_same() {
    let url = saying(json!({"result": "0x07"})).await;
    let Compared { end, report } = compared(&url, &url, "840000-900000/1000", None).await;
    assert!(
        end.unwrap_err()
            .starts_with("no block can be compared: all heights are above 100,")
    );
    assert!(
        report.ends_with("\n61 heights are above the lower tip, and were not asked\n"),
        "{report}"
    );
}

#[tokio::test]
async fn where_no_view_is_left_nothing_is_the_same() {
    let url = saying(json!({"result": "0x07"})).await;
    let views = "- {function: echo, heights: [900000]}";
    let Compared { end, report } = compared(&url, &url, "latest", Some(views)).await;
    let error = end.unwrap_err();
    assert!(
        error.starts_with("no view can be compared: all heights of ") && error.contains("views.yaml are above 100,"),
        "{error}"
    );
    assert!(
        report.ends_with("\n1 height is above the lower tip, and was not asked\n"),
        "{report}"
    );
    let error = compared(&url, &url, "latest", Some("[]")).await.end.unwrap_err();
    assert!(error.contains("views.yaml names no views: "), "{error}");
}

#[tokio::test]
async fn a_view_that_neither_has_is_not_the_same_on_both() {
    let (ours, theirs) = (served(Server::new().router).await, served(Server::new().router).await);
    let Compared { end, report } = compared(&ours, &theirs, "latest", Some("- {function: ecko}")).await;
    assert_eq!(end, Ok(Outcome::NotAnswered), "{report}");
    let lines: Vec<&str> = report.lines().skip(1).collect();
    assert!(
        lines[0].starts_with("not answered: ecko(0x) at 103: the error "),
        "{report}"
    );
    assert_eq!(lines[1..], ["could not be compared: 1 of 2 questions was not answered"]);
}

#[tokio::test]
async fn errors_that_say_that_a_question_was_not_answered_are_never_the_same() {
    for (here, there) in [
        (-32001, -32001),
        (-32002, -32002),
        (-32601, -32601),
        (-32602, -32602),
        (-32602, -32000),
        (-32002, -32602),
    ] {
        let (ours, theirs) = (saying(refusal(here)).await, saying(refusal(there)).await);
        let Compared { end, report } = compared(&ours, &theirs, "latest", Some("- {function: echo}")).await;
        assert_eq!(end, Ok(Outcome::NotAnswered), "{report}");
        let line = format!(
            "not answered: echo(0x) at 100: the error \"words of {here}\" here, the error \"words of {there}\" there"
        );
        assert_eq!(report.lines().nth(1).unwrap(), line);
    }
}

#[tokio::test]
async fn a_difference_is_one_although_another_question_was_not_answered() {
    let ours = saying(json!({"result": "0x07"})).await;
    let theirs = fake(|_, height| match height {
        99 => Ok(json!({"result": "0x08"})),
        _ => Ok(refusal(-32002)),
    })
    .await;
    let Compared { end, report } = compared(&ours, &theirs, "98-100", Some("- {function: echo}")).await;
    assert_eq!(end, Ok(Outcome::Different), "{report}");
    let lines: Vec<&str> = report.lines().skip(1).collect();
    assert_eq!(lines[0], "echo(0x) at 99: 1 byte 0x07 here, 1 byte 0x08 there");
    assert!(lines[1].starts_with("not answered: echo(0x) at 98: "), "{report}");
    assert_eq!(
        lines[3..],
        ["different: 1 of 6 answers; 2 of 6 questions were not answered"]
    );
}

#[tokio::test]
async fn blocks_that_one_does_not_have_are_no_difference_and_views_there_are_not_asked() {
    let ours = served(Server::new().router).await;
    let Compared { end, report } = compared(&ours, &ours, "7,103", Some("- {function: echo}")).await;
    assert_eq!(end, Ok(Outcome::NotAnswered), "{report}");
    assert!(report.contains("\nnot answered: block 7: the error "), "{report}");
    assert!(
        report.ends_with(
            "\ncould not be compared: 1 of 2 questions about blocks was not answered, so that views were not asked\n"
        ),
        "{report}"
    );
}

#[tokio::test]
async fn differences_are_reported_although_the_comparison_ends_early() {
    let ours = saying(json!({"result": "0x07"})).await;
    let theirs = fake(|_, height| match height {
        90 => Err(StatusCode::BAD_GATEWAY),
        _ => Ok(json!({"result": "0x08"})),
    })
    .await;
    let Compared { end, report } = compared(&ours, &theirs, "0-100", Some("- {function: echo}")).await;
    let error = end.unwrap_err();
    assert!(error.contains("502 Bad Gateway"), "{error}");
    let lines: Vec<&str> = report.lines().skip(1).collect();
    assert_eq!(lines[0], "echo(0x) at 0: 1 byte 0x07 here, 1 byte 0x08 there");
    assert_eq!(lines[20..], ["and 70 more"], "{report}");
}

#[tokio::test]
async fn what_servers_say_does_not_steer_the_terminal() {
    let steering = "\u{1b}[2J\u{1b}]0;title\u{7}\r\nthe same";
    let ours = saying(json!({"result": steering})).await;
    let theirs = saying(json!({"error": {"code": -32000, "message": steering}})).await;
    let Compared { end, report } = compared(&ours, &theirs, "latest", Some("- {function: echo}")).await;
    assert_eq!(end, Ok(Outcome::Different), "{report}");
    let shown = "\\u{1b}[2J\\u{1b}]0;title\\u{7}\\r the same";
    let bytes = steering.len() / 2;
    assert_eq!(
        report.lines().nth(1).unwrap(),
        format!("echo(0x) at 100: {bytes} bytes {shown} here, the error \"{shown}\" there")
    );
    let no_height = Router::new().route("/", post(async move || Json(json!({"result": steering}))));
    let error = compared(&served(no_height).await, &ours, "latest", None)
        .await
        .end
        .unwrap_err();
    assert!(
        error.ends_with(&format!(" does not tell its height: {shown}")),
        "{error}"
    );
}

/// A report that cannot be written, and why.
struct Broken(io::ErrorKind);

impl io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_an_error_unless_its_reader_has_left() {
    let url = saying(json!({"result": "0x07"})).await;
    let flags = super::flags(&url, &url, "latest", None);
    let end = compare(&flags, &mut Broken(io::ErrorKind::StorageFull)).await;
    assert!(matches!(end, Err(Error::Write(_))), "{end:?}");
    let end = compare(&flags, &mut Broken(io::ErrorKind::BrokenPipe)).await;
    assert!(matches!(end, Ok(Outcome::Same)), "{end:?}");
}
