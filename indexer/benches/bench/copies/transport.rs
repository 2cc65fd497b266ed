//! What the same bytes take without us: `curl | dd conv=fsync`.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crds::pod::CHECKPOINT_PATH;

/// Bytes, and how long they took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) bytes: u64,
    took: Duration,
}

impl Took {
    pub(super) fn of(took: Duration, bytes: u64) -> Self {
        Self { bytes, took }
    }

    pub(super) fn mb_s(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds()
    }

    pub(super) fn seconds(&self) -> f64 {
        self.took.as_secs_f64()
    }
}

/// The checkpoint of a process, to a file, which goes.
pub(super) fn checkpoint(url: &str, to: &Path) -> Took {
    let started = Instant::now();
    let bytes = curl_dd(&["--request", "POST", &format!("{url}{CHECKPOINT_PATH}")], to);
    Took::of(started.elapsed(), bytes)
}

/// What `curl` gets with these arguments, to a file, which goes; its bytes.
pub(super) fn curl_dd(arguments: &[&str], to: &Path) -> u64 {
    let mut curl = Command::new("curl")
        .args(["--noproxy", "*", "--silent", "--show-error", "--fail"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("start curl");
    let written = Command::new("dd")
        .args(["bs=1M", "iflag=fullblock", "conv=fsync", "status=none"])
        .arg(format!("of={}", to.display()))
        .stdin(curl.stdout.take().expect("its output"))
        .status()
        .expect("start dd");
    let got = curl.wait().expect("wait for curl");
    assert!(got.success() && written.success(), "curl: {got}, dd: {written}");
    let bytes = fs::metadata(to).expect("what dd wrote").len();
    fs::remove_file(to).expect("remove what dd wrote");
    bytes
}

/// Takes all files of a folder out of the page cache, as deep as it goes.
pub(super) fn evict(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if let Ok(file) = File::open(entry.path()) {
                // What is not on the disk yet stays in the cache.
                file.sync_all().expect("write a file to the disk");
                rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("empty the page cache");
            }
        }
    }
}
