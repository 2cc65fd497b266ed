//! Processes as the operator starts them: with a configuration.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use crds::{
    Identity, Network, RefreshPolicy,
    pod::{self, Config, Module, Publishing, Seed, Status},
};
use sha2::{Digest as _, Sha256};

use super::transport::Took;
use crate::{
    disk,
    node::Node,
    sync::{Running, free_ports, start},
};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What a wait for a process may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// An index at rest.
#[derive(Clone, Debug)]
pub(super) struct Tip {
    pub(super) height: u32,
    pub(super) digest: String,
    /// Of its files.
    pub(super) bytes: u64,
}

/// A folder and a configuration.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    config: Config,
}

/// A process of a pod.
pub(super) struct Process {
    pub(super) running: Running,
    ops_port: u16,
}

/// A pod whose empty volume is filled by a sibling.
pub(super) struct Sibling(Pod);

impl Pod {
    pub(super) fn new(folder: &Path, guest: &Path, node: &Node) -> Self {
        let bytes = fs::read(guest).expect("a guest");
        Self {
            config: Config {
                indexer: "bench".into(),
                identity: Identity {
                    module_sha256: hex::encode(Sha256::digest(bytes)),
                    network: Network::Regtest,
                    start_height: 0,
                    memory_limit_bytes: 2 << 30,
                },
                data_revision: None,
                in_place: false,
                in_place_at: None,
                seed: None,
                bootstrap: None,
                snapshots: None,
                module: Module::Path { path: guest.into() },
                source: node.source(),
                stop_height: None,
                max_reorg_depth: 12,
                max_behind: 2,
                threshold_bytes: 1 << 30,
                refresh: RefreshPolicy::EveryBlock,
                audit_every: 0,
                retry_attempts: 1,
                views: pod::Views {
                    max_concurrent: 4,
                    timeout_ms: 10_000,
                    memory_limit_bytes: 1 << 30,
                    max_request_bytes: 1 << 20,
                    max_response_bytes: 1 << 20,
                },
                cache_bytes: None,
                data_dir: folder.into(),
                rpc_listen: String::new(),
                ops_listen: String::new(),
                cors_origin: None,
                exit_at: None,
            },
        }
    }

    /// The same with another folder.
    pub(super) fn with_folder(&self, folder: &Path) -> Self {
        let mut other = self.clone();
        other.config.data_dir = folder.into();
        other
    }

    /// The same index in another folder, whatever that held. Files that are never changed are links, so that what is
    /// known of them stays true.
    pub(super) fn forked(&self, folder: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        fork(self.data_dir(), folder).expect("room for another folder");
        self.with_folder(folder)
    }

    /// The same that publishes.
    pub(super) fn publishing(&self, publishing: Publishing) -> Self {
        let mut other = self.clone();
        other.config.snapshots = Some(publishing);
        other
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.config.data_dir
    }

    pub(super) fn store(&self) -> PathBuf {
        self.config.data_dir.join("store")
    }

    pub(super) fn start(&self) -> Process {
        self.start_on(free_ports())
    }

    fn start_on(&self, [rpc, ops]: [u16; 2]) -> Process {
        let mut config = self.config.clone();
        config.rpc_listen = format!("127.0.0.1:{rpc}");
        config.ops_listen = format!("127.0.0.1:{ops}");
        let file = config.data_dir.with_extension("yaml");
        fs::write(&file, serde_yaml::to_string(&config).expect("a configuration")).expect("write it");
        Process {
            running: start(&file, [rpc, ops]),
            ops_port: ops,
        }
    }

    /// Indexes to this height and stays there until merges are done.
    pub(super) fn index_to(&self, height: u32) -> Tip {
        let process = self.start_at_rest(height);
        let status = process.wait_for("merges", |status| {
            status.height == Some(height) && status.store.as_ref().is_some_and(|store| store.merges_pending == 0)
        });
        Tip {
            height,
            digest: status.digest.expect("the digest of a block"),
            bytes: disk::allocated_bytes(&self.store()),
        }
    }

    /// Started, and held at this height.
    pub(super) fn start_at_rest(&self, height: u32) -> Process {
        self.at_rest(height).start()
    }

    /// Started, and held where the index is by the lowest height there is: blocks above it stay.
    pub(super) fn start_where_it_is(&self) -> Process {
        self.start_at_rest(0)
    }

    /// The next snapshot begins with reading all files.
    pub(super) fn forget_hashes(&self) {
        let notes = self.config.data_dir.join("snapshot-hashes.json");
        fs::remove_file(notes).expect("notes of hashes");
    }

    fn at_rest(&self, height: u32) -> Self {
        let mut held = self.clone();
        held.config.stop_height = Some(height);
        held
    }

    /// Another pod, which copies what this process has.
    pub(super) fn sibling(&self, folder: &Path, sender: &Process) -> Sibling {
        let mut other = self.with_folder(folder);
        other.config.seed = Some(Seed {
            at_height: None,
            from: vec![sender.url()],
            optional: false,
        });
        Sibling(other)
    }
}

impl Sibling {
    /// Empties the volume, starts the process and waits until it has the index.
    pub(super) fn filled(&self, tip: &Tip) -> Took {
        self.empty();
        let started = Instant::now();
        let process = self.0.start_at_rest(tip.height);
        process.must_be(tip);
        let took = Took::of(started.elapsed(), tip.bytes);
        drop(process);
        self.empty();
        took
    }

    /// The same, with a sender that is killed when half of it is there, and started again; how long it took, and how
    /// many bytes were written for it.
    pub(super) fn filled_in_spite_of_a_kill(&self, sender: Process, from: &Pod, tip: &Tip) -> (Duration, u64) {
        self.empty();
        let started = Instant::now();
        let process = self.0.start_at_rest(tip.height);
        let received = self.0.data_dir().join("seed");
        wait("half of a copy", || {
            (disk::allocated_bytes(&received) >= tip.bytes / 2).then_some(())
        });
        let ports = sender.ports();
        drop(sender);
        let _sender = from.at_rest(tip.height).start_on(ports);
        process.must_be(tip);
        let took = started.elapsed();
        let written = process.running.written_bytes();
        drop(process);
        self.empty();
        (took, written)
    }

    /// The compiled module stays.
    fn empty(&self) {
        for folder in ["store", "seed"] {
            let _ = fs::remove_dir_all(self.0.data_dir().join(folder));
        }
    }
}

impl Process {
    /// Base URL of its ops port.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ops_port)
    }

    fn ports(&self) -> [u16; 2] {
        [self.running.port, self.ops_port]
    }

    /// Waits until it has just that index.
    pub(super) fn must_be(&self, tip: &Tip) {
        let status = self.wait_for("the index", |status| status.height.is_some());
        assert_eq!(
            (status.height, status.digest.as_deref()),
            (Some(tip.height), Some(tip.digest.as_str()))
        );
    }

    pub(super) fn wait_for(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        wait(what, || self.running.ops.status().filter(&is_so))
    }
}

fn fork(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, other) = (entry.path(), to.join(entry.file_name()));
        let kept = path.extension().is_some_and(|kind| kind == "rows" || kind == "sst");
        if path.is_dir() {
            fork(&path, &other)?;
        } else if kept {
            fs::hard_link(&path, &other)?;
        } else {
            fs::copy(&path, &other)?;
        }
    }
    Ok(())
}

/// Waits until there is something.
pub(super) fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited without success for {what}");
        sleep(LOOK_EVERY);
    }
}
