//! The program itself: its codes, and what it says where there is no cluster.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

mod cluster;

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

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

/// The program under the name by which kubectl asks for words, in a folder, and what it prints.
fn completes(folder: &Path, kubeconfig: &str, words: &[&str]) -> String {
    let program = folder.join("kubectl_complete-shrewd");
    if !program.exists() {
        symlink(env!("CARGO_BIN_EXE_kubectl-shrewd"), &program).unwrap();
    }
    let output = Command::new(&program)
        .args(words)
        .env_clear()
        .env("PATH", "/bin:/usr/bin")
        .env("KUBECONFIG", kubeconfig)
        .current_dir(folder)
        .output()
        .unwrap();
    assert_eq!(code_and_error(&output), (Some(0), String::new()), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn commands_and_files_are_completed_without_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("manifests")).unwrap();
    fs::write(folder.path().join("manifests/one.yaml"), "").unwrap();
    let completes = |words: &[&str]| completes(folder.path(), "/nonexistent/config", words);
    assert!(completes(&["snapshot", ""]).starts_with("now\tHas the pod that publishes"));
    assert_eq!(completes(&["diff", "-f", "mani"]), "manifests/\n:6\n");
    assert_eq!(completes(&["diff", "-f", "manifests/"]), "manifests/one.yaml\n:4\n");
    // Names of Indexers, which cannot be had: nobody could read an error there.
    assert_eq!(completes(&["status", ""]), ":4\n");
    assert_eq!(completes(&[]), ":4\n");
}

#[test]
fn credentials_that_take_long_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let plugin = "{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sleep, args: ['60']}";
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}],
          clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:9'}}}}], users: [{{name: u, user: {{exec: {plugin}}}}}]}}"
    );
    fs::write(&kubeconfig, text).unwrap();
    let started = Instant::now();
    let lines = completes(folder.path(), kubeconfig.to_str().unwrap(), &["status", ""]);
    assert_eq!(lines, ":4\n");
    let took = started.elapsed();
    assert!(
        took > Duration::from_secs(2) && took < Duration::from_secs(30),
        "{took:?}"
    );
}
