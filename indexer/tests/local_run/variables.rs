//! Variables of the environment, of the real program: clap reads them itself.

use std::process::{Command, Stdio};

/// Its exit code and what it says.
fn ended(variable: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"));
    for inherited in [
        "SHREWD_AUTH",
        "SHREWD_LOG_FORMAT",
        "SHREWD_PLAIN_HTTP_REGISTRIES",
        "RUST_LOG",
    ] {
        command.env_remove(inherited);
    }
    let (name, value) = variable.split_once('=').unwrap();
    let output = command
        .env(name, value)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn an_empty_variable_is_none_and_that_of_another_flag_stops_no_configuration() {
    let run = ["run", "--config", "/nowhere.yaml"];
    let local = ["run", "--indexer", "/nowhere.wasm", "--block-files", "/nowhere"];
    let missing = "No such file or directory";
    let cases: [(&str, &[&str], i32, &str); 9] = [
        ("SHREWD_AUTH=", &run, 1, missing),
        ("SHREWD_AUTH=a:b", &run, 1, missing),
        ("SHREWD_AUTH=a:b", &["run", "--config=/nowhere.yaml"], 1, missing),
        ("SHREWD_AUTH=", &local, 1, missing),
        ("SHREWD_LOG_FORMAT=", &["check", "/nowhere.wasm"], 1, missing),
        ("SHREWD_LOG_FORMAT=xml", &["check", "/nowhere.wasm"], 2, "--log-format"),
        ("SHREWD_PLAIN_HTTP_REGISTRIES=", &run, 1, missing),
        // Still counted where they have an effect.
        (
            "SHREWD_AUTH=nobody",
            &["run", "--manifest", "tests/data/outpoints.yaml"],
            1,
            "USER:PASSWORD",
        ),
        ("SHREWD_PLAIN_HTTP_REGISTRIES=http://r", &run, 2, "HOST[:PORT]"),
    ];
    for (variable, arguments, code, words) in cases {
        let (found, said) = ended(variable, arguments);
        assert!(
            found == Some(code) && said.contains(words),
            "{variable:?} {arguments:?}: {found:?} {said}"
        );
    }
}
