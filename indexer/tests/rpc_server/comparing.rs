/// Servers that say what a test needs.
mod faked;
/// The program and its exit codes.
mod program;

use std::{fs, path::PathBuf, sync::Arc};

use axum::{Json, Router, routing::post};
use indexer::{
    cli::args::CompareFlags,
    commands::compare::{Outcome, compare},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::{nobody, served},
    harness::{Server, TIP},
};

/// How a comparison ended, and the report.
struct Compared {
    end: Result<Outcome, String>,
    report: String,
}

fn flags(url: &str, with: &str, heights: &str, views: Option<PathBuf>) -> CompareFlags {
    CompareFlags {
        url: url.into(),
        with: with.into(),
        views,
        heights: heights.split(',').map(|text| text.parse().unwrap()).collect(),
        at_once: 4,
    }
}

async fn compared(url: &str, with: &str, heights: &str, views: Option<&str>) -> Compared {
    let folder = TempDir::new().unwrap();
    let file = views.map(|text| {
        let path = folder.path().join("views.yaml");
        fs::write(&path, text).unwrap();
        path
    });
    let mut out = Vec::new();
    let end = compare(&flags(url, with, heights, file), &mut out)
        .await
        .map_err(|e| format!("{:#}", anyhow::Error::from(e)));
    let report = String::from_utf8(out).unwrap();
    Compared { end, report }
}

/// Another server of the same chain, one block longer, whose `echo` answers something else at height 102, and whose
/// hashes are in the order of their bytes.
async fn other() -> String {
    let ours = Arc::new(Server::new());
    served(Router::new().route("/", post(move |Json(request)| turned(Arc::clone(&ours), request)))).await
}

async fn turned(ours: Arc<Server>, request: Value) -> Json<Value> {
    let method = request["method"].as_str().unwrap();
    if method == "metashrew_height" {
        return Json(json!({"result": (TIP + 1).to_string()}));
    }
    let mut answer = ours.post(request.to_string()).await;
    if request["params"] == json!(["echo", "0x07", 102]) {
        answer["result"] = json!("0x08");
    }
    if method == "metashrew_getblockhash" {
        let mut bytes = hex::decode(&answer["result"].as_str().unwrap()[2..]).unwrap();
        bytes.reverse();
        answer["result"] = json!(hex::encode(bytes));
    }
    Json(answer)
}

const VIEWS: &str = "- {function: echo, input: '0x07'}\n- {function: fail}\n- {function: echo, heights: [100, 900]}\n";

#[tokio::test]
async fn the_same_index_answers_the_same_and_a_failing_view_fails_on_both() {
    let (ours, theirs) = (served(Server::new().router).await, served(Server::new().router).await);
    let Compared { end, report } = compared(&ours, &theirs, "100-200/2,latest", Some(VIEWS)).await;
    assert_eq!(end, Ok(Outcome::Same), "{report}");
    assert!(
        report.contains("\n3 of 7 calls of views failed on both, which counts as the same\n"),
        "{report}"
    );
    assert!(
        report.ends_with("the same: 3 blocks and 7 answers of views\n"),
        "{report}"
    );
}

#[tokio::test]
async fn an_answer_that_differs_is_reported_with_where_and_what() {
    let (ours, theirs) = (served(Server::new().router).await, other().await);
    let Compared { end, report } = compared(&ours, &theirs, "101-103", Some(VIEWS)).await;
    assert_eq!(end, Ok(Outcome::Different), "{report}");
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[0], format!("{ours} is at height {TIP}, {theirs} at {}", TIP + 1));
    assert_eq!(lines[1], "1 height is above the lower tip, and was not asked");
    assert!(
        lines[2].starts_with("echo(0x07) at 102: ") && lines[2].ends_with("here, 1 byte 0x08 there"),
        "{report}"
    );
    assert_eq!(
        lines[3..],
        [
            "3 of 7 calls of views failed on both, which counts as the same",
            "different: 1 of 11 answers"
        ],
        "{report}"
    );
}

#[tokio::test]
async fn without_views_blocks_are_compared_and_the_report_says_so() {
    let (ours, theirs) = (served(Server::new().router).await, other().await);
    let Compared { end, report } = compared(&ours, &theirs, "latest", None).await;
    assert_eq!(end, Ok(Outcome::Same), "{report}");
    assert!(
        report.contains("the same: 1 block and 0 answers of views\n"),
        "{report}"
    );
    assert!(report.contains("--views FILE"), "{report}");
}

#[tokio::test]
async fn another_chain_is_said_before_any_view_is_asked() {
    let theirs = served(Router::new().route(
        "/",
        post(async |Json(request): Json<Value>| {
            Json(match request["method"].as_str().unwrap() {
                "metashrew_height" => json!({"result": "103"}),
                "metashrew_getblockhash" => json!({"result": "0x07"}),
                method => panic!("{method} is asked"),
            })
        }),
    ))
    .await;
    let ours = served(Server::new().router).await;
    let Compared { end, report } = compared(&ours, &theirs, "102-103", Some(VIEWS)).await;
    assert_eq!(end, Ok(Outcome::Different), "{report}");
    assert!(
        report.contains("different: 3 of 3 blocks, so that views were not asked"),
        "{report}"
    );
}

#[tokio::test]
async fn trouble_is_an_error_and_no_difference() {
    let ours = served(Server::new().router).await;
    let error = compared(&ours, &nobody().await, "latest", None).await.end.unwrap_err();
    assert!(error.starts_with("no connection to "), "{error}");
    let error = compared(&ours, &ours, "latest", Some("echo")).await.end.unwrap_err();
    assert!(error.contains("is no list of views"), "{error}");
}

#[tokio::test]
async fn a_password_in_an_address_is_not_reported() {
    let ours = served(Server::new().router).await;
    let secret = ours.replace("://", "://name:s3cret@");
    let Compared { end, report } = compared(&secret, &ours, "latest", None).await;
    assert_eq!(end, Ok(Outcome::Same), "{report}");
    assert!(
        report.starts_with(&format!("{ours} is at height {TIP}, {ours} at {TIP}\n")),
        "{report}"
    );
}
