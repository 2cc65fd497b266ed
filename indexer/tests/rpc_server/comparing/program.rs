use std::{
    io::pipe,
    process::{Command, Output},
};

use serde_json::{Value, json};

use super::faked::{refusal, saying};
use crate::client::nobody;

/// `shrewd-indexer compare`, of the view `echo` at the newest height of both.
fn program(ours: &str, theirs: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"));
    command.args(["compare", "--url", ours, "--with", theirs]);
    command.args(["--views", "tests/rpc_server/comparing/views.yaml"]);
    command
}

/// Its end. The servers are on this thread, so that it waits elsewhere.
async fn ended(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap()
}

fn result(hex: &str) -> Value {
    json!({"result": hex})
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, out: &str, err: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}{error}");
    assert!(said.contains(out), "{said}");
    assert!(error.starts_with(err) && error.is_empty() == err.is_empty(), "{error}");
}

#[tokio::test]
async fn the_exit_code_is_0_for_the_same_1_for_different_and_2_for_not_compared() {
    let ours = saying(result("0x07")).await;
    let output = ended(program(&ours, &saying(result("0x07")).await)).await;
    assert_ends(&output, 0, "the same: 1 block and 1 answer of views\n", "");
    let output = ended(program(&ours, &saying(result("0x08")).await)).await;
    assert_ends(&output, 1, "different: 1 of 2 answers\n", "");
    let output = ended(program(&ours, &saying(refusal(-32002)).await)).await;
    assert_ends(
        &output,
        2,
        "could not be compared: 1 of 2 questions was not answered\n",
        "",
    );
    let output = ended(program(&ours, &nobody().await)).await;
    assert_ends(&output, 2, "", "error: no connection to ");
    let mut above = program(&ours, &ours);
    above.args(["--heights", "840000"]);
    assert_ends(
        &ended(above).await,
        2,
        "1 height is above",
        "error: no block can be compared",
    );
}

#[tokio::test]
async fn a_reader_that_has_left_does_not_change_the_exit_code() {
    let ours = saying(result("0x07")).await;
    for (theirs, code) in [("0x07", 0), ("0x08", 1)] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = program(&ours, &saying(result(theirs)).await);
        command.stdout(writer);
        assert_ends(&ended(command).await, code, "", "");
    }
}
