//! The program itself: its codes, and what it says where there is no cluster.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::process::{Command, Output};

/// The program without any kubeconfig, and what it did.
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kubectl-shrewd"))
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("KUBECONFIG", "/nonexistent/config")
        .output()
        .unwrap()
}

fn code_and_error(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn without_a_kubeconfig_it_says_what_to_do() {
    let words = "error: no cluster is configured: there is no kubeconfig; set KUBECONFIG, or give --kubeconfig FILE\n";
    assert_eq!(code_and_error(&run(&["status", "one"])), (Some(1), words.into()));
    // 1 would mean that there are differences.
    assert_eq!(code_and_error(&run(&["diff", "-f", "a.yaml"])), (Some(2), words.into()));
    let (code, error) = code_and_error(&run(&["top", "--kubeconfig", "/nonexistent/other"]));
    assert_eq!(code, Some(1));
    assert!(error.contains("/nonexistent/other"), "{error}");
}

#[test]
fn completion_needs_no_cluster() {
    let output = run(&["completion", "bash"]);
    assert_eq!(code_and_error(&output), (Some(0), String::new()));
    assert!(String::from_utf8(output.stdout).unwrap().contains("suspend"));
}

#[test]
fn under_the_name_by_which_kubectl_asks_it_completes_words() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("kubectl_complete-shrewd");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kubectl-shrewd"), &program).unwrap();
    for (words, expected) in [
        (["snapshot", ""].as_slice(), "now\tHas the pod that publishes"),
        // Names of Indexers, which cannot be had: nobody could read an error there.
        (&["status", ""], ":4\n"),
        (&[], ":4\n"),
    ] {
        let output = Command::new(&program)
            .args(words)
            .env_clear()
            .env("KUBECONFIG", "/nonexistent/config")
            .output()
            .unwrap();
        assert_eq!(code_and_error(&output), (Some(0), String::new()), "{words:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        assert!(
            lines.starts_with(expected) && lines.ends_with(":4\n"),
            "{words:?}: {lines}"
        );
    }
}
