//! The log of a run, and what becomes of the run when nobody can have it.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{CHAINED, node::Node, ports::free_port, process};

/// A run of three blocks that logs there.
fn command(folder: &Path, name: &str, node: &Node, stderr: Stdio) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"));
    command
        .args(["run", "--network", "regtest", "--exit-at", "3"])
        .args(["--indexer".as_ref(), process::module(folder, CHAINED).as_os_str()])
        .args(["--daemon-rpc-url", &node.url()])
        .args(["--db-path".as_ref(), folder.join(name).as_os_str()])
        .args([
            "--port",
            &free_port().to_string(),
            "--ops-port",
            &free_port().to_string(),
        ])
        .env("RUST_LOG", "info")
        .stdout(Stdio::null())
        .stderr(stderr);
    command
}

fn exit_code(mut child: Child) -> Option<i32> {
    let end = Instant::now() + process::PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start();
    node.mine(5);
    for format in ["text", "json"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut on_full_disk = command(folder.path(), &format!("full-{format}"), &node, full.into());
        on_full_disk.env("SHREWD_LOG_FORMAT", format);
        assert_eq!(
            exit_code(on_full_disk.spawn().unwrap()),
            Some(0),
            "{format}, a full disk"
        );

        let mut unread = command(folder.path(), &format!("unread-{format}"), &node, Stdio::piped());
        let mut child = unread.env("SHREWD_LOG_FORMAT", format).spawn().unwrap();
        drop(child.stderr.take());
        assert_eq!(exit_code(child), Some(0), "{format}, a reader that is gone");
    }
}

/// Before there is a log, and in the commands that have none.
#[test]
fn words_that_cannot_be_written_change_no_exit_code() {
    for arguments in [
        &["run", "--config", "/nowhere.yaml"][..],
        &["check", "/nowhere.wasm"],
        &["status", "--url", "nowhere"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"));
        let child = command.args(arguments).stderr(full).spawn().unwrap();
        assert_eq!(exit_code(child), Some(1), "{arguments:?}");
    }
}
