//! A sync by the real program, as a process of its own.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The program that is measured.
pub(crate) const INDEXER: &str = env!("CARGO_BIN_EXE_shrewd-indexer");

/// What a sync took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    /// From the start of the process to its end.
    pub(crate) took: Duration,
    /// The most memory it had resident, the guest's included.
    pub(crate) peak_bytes: u64,
    pub(crate) cpu: f64,
}

/// A command that runs a guest over a part of the node's chain.
pub(crate) fn command(guest: &Path, url: &str, heights: &Range<u32>, db: &Path) -> Command {
    let mut command = Command::new(INDEXER);
    command
        .args(["run", "--network", "regtest", "--daemon-rpc-url", url])
        .args(["--port", "0", "--ops-port", "0"])
        .args(["--start-block", &heights.start.to_string()])
        .args(["--exit-at", &heights.end.to_string()])
        .arg("--indexer")
        .arg(guest)
        .arg("--db-path")
        .arg(db)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(guest: &Path, url: &str, heights: &Range<u32>, db: &Path) -> Sync {
    let started = Instant::now();
    let child = command(guest, url, heights, db).spawn().expect("start the indexer");
    let (status, peak_bytes, cpu) = wait(child);
    let took = started.elapsed();
    assert!(status, "the sync failed");
    Sync { took, peak_bytes, cpu }
}

/// Waits for the end of a process; whether it went well, and its peak.
fn wait(mut child: std::process::Child) -> (bool, u64, f64) {
    let mut cpu = 0.0f64;
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak_bytes = 0;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status_file) {
            peak_bytes = peak_bytes.max(kib(&text, "VmHWM:") * 1024);
        }
        cpu = cpu.max(crate::cpu(&format!("/proc/{}/stat", child.id())));
        if let Some(status) = child.try_wait().expect("wait for the indexer") {
            return (status.success(), peak_bytes, cpu);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
