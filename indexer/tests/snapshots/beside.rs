//! `run` and `snapshot restore` on one folder: one of the two is refused, and nothing of the other one is lost.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use indexer::{
    snapshot::{Claim, Error, Pace, restore::Check},
    store,
};
use tempfile::{TempDir, tempdir};

use crate::{
    Index,
    fixture::{DEEP, commit, dump, open},
    folder, name,
    ports::free_port,
    restore, restorer,
};

const CHAINED: &str = include_str!("../support/chained.wat");
/// How long a process may take to do what it is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// An index of some megabytes, published in a folder.
async fn published() -> (Index, TempDir) {
    let (index, remote) = (Index::new(8, 20_000), tempdir().unwrap());
    index.publish(&folder(remote.path()), None).await.unwrap();
    (index, remote)
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"))
}

fn restoring(remote: &Path, data_dir: &Path, flags: &[&str]) -> Command {
    let mut command = program();
    let url = format!("file://{}/prefix/7", remote.display());
    command.args(["snapshot", "restore", &url, "--db-path"]).arg(data_dir);
    command.args(flags).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A person's run of some module, which ends before it needs a node.
fn run(data_dir: &Path) -> Output {
    let files = tempdir().unwrap();
    let module = files.path().join("module.wasm");
    fs::write(&module, wat::parse_str(CHAINED).unwrap()).unwrap();
    let ports = [free_port(), free_port()].map(|port| port.to_string());
    let mut command = program();
    command.args([
        "run",
        "--network",
        "regtest",
        "--daemon-rpc-url",
        "http://127.0.0.1:1",
        "--indexer",
    ]);
    command.arg(module).arg("--db-path").arg(data_dir);
    command
        .args(["--port", &ports[0], "--ops-port", &ports[1]])
        .output()
        .unwrap()
}

#[track_caller]
fn refused(output: &Output, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains(words), "{said}");
}

/// Waits until something of a snapshot has come.
fn wait_for_part(data_dir: &Path, restoring: &mut Child) {
    let end = Instant::now() + PATIENCE;
    while !data_dir.join("restore/part").exists() {
        assert!(Instant::now() < end, "nothing is received");
        assert!(restoring.try_wait().unwrap().is_none(), "it has ended");
        thread::sleep(Duration::from_millis(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_refused_while_a_snapshot_is_restored_and_after_that_was_killed_until_it_is_repeated() {
    let (index, remote) = published().await;
    let copy = tempdir().unwrap();
    let data_dir = copy.path();
    let mut slow = restoring(remote.path(), data_dir, &["--max-bytes-per-second", "100Ki"])
        .spawn()
        .unwrap();
    wait_for_part(data_dir, &mut slow);
    refused(
        &run(data_dir),
        "is in use by another process, which restores or publishes a snapshot there",
    );
    assert!(slow.try_wait().unwrap().is_none(), "the restore has ended");
    slow.kill().unwrap();
    slow.wait().unwrap();

    refused(&run(data_dir), "an unfinished restore is in");
    assert!(
        data_dir.join("restore/shrewd-store").exists(),
        "what was received is gone"
    );
    assert!(!data_dir.join("store").exists(), "a store was begun");
    assert!(restoring(remote.path(), data_dir, &[]).status().unwrap().success());
    assert!(
        dump(&data_dir.join("store")) == dump(&index.store_dir()),
        "another index"
    );
}

#[tokio::test]
async fn an_unfinished_restore_beside_a_store_without_blocks_is_not_thrown_away() {
    let data = tempdir().unwrap();
    let store_dir = data.path().join("store");
    drop(open(&store_dir, 0, DEEP));
    let before = dump(&store_dir);
    fs::create_dir(data.path().join("restore")).unwrap();
    fs::write(data.path().join("restore/part"), "some of it").unwrap();
    refused(&run(data.path()), "an unfinished restore is in");
    assert!(data.path().join("restore/part").exists() && dump(&store_dir) == before);
}

#[tokio::test]
async fn a_store_that_came_while_a_snapshot_was_received_stays() {
    let (index, remote) = published().await;
    let copy = tempdir().unwrap();
    let store_dir = copy.path().join("store");
    let restorer = restorer(&folder(remote.path()), &name("7"), copy.path(), Check::Digests);
    let mut came = None;
    let put = |_| {
        came.get_or_insert_with(|| {
            let store = open(&store_dir, 0, DEEP);
            commit(&store, &index.chain.blocks[0]);
            store
        });
    };
    let error = restorer.restore(&mut Pace::new(None), put).await.unwrap_err();
    assert!(matches!(error, Error::Store(store::Error::Locked { .. })), "{error}");
    drop(came);
    let error = restore(&restorer).await.unwrap_err();
    assert!(matches!(error, Error::Store(store::Error::Occupied { .. })), "{error}");
    assert_eq!(open(&store_dir, 0, DEEP).tip(), Some(index.chain.blocks[0].tip));
}

#[tokio::test]
async fn a_restore_is_refused_while_somebody_else_has_the_claim_of_the_folder() {
    let (_index, remote) = published().await;
    let copy = tempdir().unwrap();
    let restorer = restorer(&folder(remote.path()), &name("7"), copy.path(), Check::Files);
    let claim = Claim::new(copy.path()).unwrap();
    let error = restore(&restorer).await.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    restorer
        .restore_under(&claim, &mut Pace::new(None), |_| ())
        .await
        .unwrap();
}
