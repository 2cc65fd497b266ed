//! The real program, as a process of its own: syncs that are timed, and one that stays and serves.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{cgroup::MemoryGroup, ops::Ops, ports::free_port};

/// The program that is measured.
pub(crate) const INDEXER: &str = env!("CARGO_BIN_EXE_shrewd-indexer");
/// Between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What takes longer than this will not end.
const PATIENCE: Duration = Duration::from_secs(600);
/// More than the default: how long a view with many reads takes is measured, not judged.
const VIEW_TIMEOUT: &str = "1m";

/// Where blocks come from.
#[derive(Clone, Debug)]
pub(crate) enum BlocksFrom {
    Node(String),
    Files(PathBuf),
}

/// A guest, blocks, and a folder for the index.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) guest: PathBuf,
    pub(crate) from: BlocksFrom,
    pub(crate) heights: Range<u32>,
    pub(crate) db: PathBuf,
}

/// What a sync took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncCost {
    /// From the start of the process to its end.
    pub(crate) took: Duration,
    /// The most memory it had resident, the guest's included.
    pub(crate) peak_bytes: u64,
}

/// A process that runs, and its ports.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
    pub(crate) ops: Ops,
    started: Instant,
}

impl Setup {
    /// Starts from nothing but the compiled module, which a first sync of one block leaves behind.
    pub(crate) fn fresh(&self) {
        let _ = std::fs::remove_dir_all(&self.db);
        let first = Self {
            heights: self.heights.start..self.heights.start + 1,
            ..self.clone()
        };
        first.start(true).end();
        std::fs::remove_dir_all(self.store()).expect("remove the first store");
    }

    /// Runs to the last height.
    pub(crate) fn sync(&self) -> SyncCost {
        self.fresh();
        self.start(true).end()
    }

    /// The folder of the store.
    pub(crate) fn store(&self) -> PathBuf {
        self.db.join("store")
    }

    /// Starts the process; it ends with the last height, or stays and serves.
    pub(crate) fn start(&self, ends: bool) -> Running {
        self.start_by(Command::new(INDEXER), ends)
    }

    /// Starts one that stays, in a memory group if there is one, with variables of its own.
    pub(crate) fn start_in(&self, group: Option<&MemoryGroup>, variables: &[(&str, String)]) -> Running {
        let mut command = match group {
            Some(group) => {
                let mut command = group.command();
                command.arg(INDEXER);
                command
            }
            None => Command::new(INDEXER),
        };
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        self.start_by(command, false)
    }

    fn start_by(&self, mut command: Command, ends: bool) -> Running {
        let [port, ops_port] = free_ports();
        command
            .args(["run", "--network", "regtest"])
            .args(["--port", &port.to_string(), "--ops-port", &ops_port.to_string()])
            .args(["--start-block", &self.heights.start.to_string()])
            .args(["--view-timeout", VIEW_TIMEOUT])
            .arg("--indexer")
            .arg(&self.guest)
            .arg("--db-path")
            .arg(&self.db);
        match &self.from {
            BlocksFrom::Node(url) => command.args(["--daemon-rpc-url", url]),
            BlocksFrom::Files(dir) => command.arg("--block-files").arg(dir),
        };
        if ends {
            command.args(["--exit-at", &self.heights.end.to_string()]);
        }
        Running::spawn(command, [port, ops_port])
    }
}

/// Starts a process that stays, with a configuration as the operator writes it.
pub(crate) fn start(config: &Path, ports: [u16; 2]) -> Running {
    let mut command = Command::new(INDEXER);
    command.args(["run", "--config"]).arg(config);
    Running::spawn(command, ports)
}

impl Running {
    /// Starts it; it was told these ports, of queries and of operations.
    fn spawn(mut command: Command, [port, ops_port]: [u16; 2]) -> Self {
        command.env("RUST_LOG", "warn").stdout(Stdio::null());
        Self {
            started: Instant::now(),
            child: command.spawn().expect("start the indexer"),
            port,
            ops: Ops::new(ops_port),
        }
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> SyncCost {
        let mut peak_bytes = 0;
        loop {
            peak_bytes = peak_bytes.max(self.peak_bytes());
            if let Some(status) = self.child.try_wait().expect("wait for the indexer") {
                assert!(status.success(), "the sync failed: {status}");
                return SyncCost {
                    took: self.started.elapsed(),
                    peak_bytes,
                };
            }
            self.look_again();
        }
    }

    /// The most memory it had resident so far; 0 if it has ended.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        status.map_or(0, |text| kib(&text, "VmHWM:") * 1024)
    }

    /// Bytes that it has written to files so far.
    pub(crate) fn written_bytes(&self) -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).expect("what it wrote");
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        line.and_then(|number| number.parse().ok()).expect("a number of bytes")
    }

    /// Fails if it has ended.
    pub(crate) fn must_run(&mut self) {
        let ended = self.child.try_wait().expect("look at the indexer");
        assert!(ended.is_none(), "the indexer ended by itself: {ended:?}");
    }

    /// Waits until it is ready; how long after its start it was.
    pub(crate) fn ready(&self) -> Duration {
        while !self.ops.is_ready() {
            self.look_again();
        }
        self.started.elapsed()
    }

    /// Waits until it has indexed up to this height.
    pub(crate) fn reaches(&self, height: u32) {
        while self.ops.status().and_then(|status| status.height) < Some(height) {
            self.look_again();
        }
    }

    /// Waits until it answers queries.
    pub(crate) fn listens(&self) {
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            self.look_again();
        }
    }

    fn look_again(&self) {
        assert!(self.started.elapsed() < PATIENCE, "the indexer does not get anywhere");
        std::thread::sleep(LOOK_EVERY);
    }
}

impl Drop for Running {
    /// As a power cut would end it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_ports() -> [u16; 2] {
    [(); 2].map(|()| free_port())
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A copy of an index, as deep as its folders go.
pub(crate) fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let copied = Command::new("cp")
        .arg("-r")
        .arg(from)
        .arg(to)
        .status()
        .expect("start cp");
    assert!(copied.success(), "copy {}", from.display());
}
