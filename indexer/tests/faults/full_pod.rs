//! A pod whose volume is full: it stays, serves what is indexed, says so, and continues when there is room.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
};

use crds::{
    Identity, Network, RefreshPolicy,
    pod::{self, Config, FaultClass, Module, Status},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use crate::{
    heavy_guest,
    node::Node,
    process::{Index, Process, start_configured},
    tmpfs::Tmpfs,
};

/// Room for everything.
const ENOUGH_KIB: u32 = 256 << 10;

/// What the operator would write for a pod with this volume.
pub(crate) fn config(folder: &Path, node: &Node, data: &str) -> Config {
    let path = heavy_guest(folder);
    Config {
        indexer: data.into(),
        identity: Identity {
            module_sha256: hex::encode(Sha256::digest(fs::read(&path).unwrap())),
            network: Network::Regtest,
            start_height: 0,
            memory_limit_bytes: 256 << 20,
        },
        data_revision: None,
        in_place: false,
        in_place_at: None,
        seed: None,
        module: Module::Path { path },
        source: node.source(),
        stop_height: None,
        max_reorg_depth: 100,
        max_behind: 2,
        threshold_bytes: 64 << 20,
        refresh: RefreshPolicy::EveryBlock,
        audit_every: 0,
        retry_attempts: 1,
        cache_bytes: None,
        views: pod::Views {
            max_concurrent: 4,
            timeout_ms: 10_000,
            memory_limit_bytes: 64 << 20,
            max_request_bytes: 1 << 20,
            max_response_bytes: 1 << 20,
        },
        data_dir: folder.join(data),
        rpc_listen: String::new(),
        ops_listen: String::new(),
        cors_origin: None,
        exit_at: None,
        bootstrap: None,
        snapshots: None,
    }
}

fn is_full(status: &Status) -> bool {
    let trouble = status.trouble.as_ref();
    trouble.is_some_and(|trouble| trouble.class == FaultClass::DiskFull)
}

/// A view at the last height that is indexed.
async fn is_served(process: &Process) -> String {
    let key = format!("0x{}", hex::encode("mix"));
    process.call("metashrew_view", json!(["get", key, "latest"])).await
}

/// Takes all there is, to the last byte.
fn take_all(disk: &Tmpfs) {
    let mut file = File::create(disk.path().join("ballast")).unwrap();
    for bytes in [1 << 20, 4 << 10, 1] {
        while file.write_all(&vec![1; bytes]).is_ok() {}
    }
}

fn give_back(disk: &Tmpfs) {
    fs::remove_file(disk.path().join("ballast")).unwrap();
}

/// Contract §8.14.
#[tokio::test]
async fn a_pod_whose_volume_fills_in_a_sync_stays_and_continues_when_it_has_grown() {
    let folder = tempdir().unwrap();
    let mut node = Node::start();
    let begun = node.mine(20);
    let disk = Tmpfs::of_kib(12 << 10);
    symlink(disk.path(), folder.path().join("data")).unwrap();
    let mut process = start_configured(config(folder.path(), &node, "data"));
    process.wait_for_tip(begun).await;
    let tip = node.mine(250);
    let full = process.wait("a full disk", is_full).await;
    let words = full.trouble.unwrap().message;
    assert!(
        words.contains("make room") && words.contains("No space left on device"),
        "{words}"
    );
    let height = full.height;
    assert!(height < Some(tip.height.0), "{height:?}");
    assert_ne!(is_served(&process).await, "0x");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let still = process.wait("a full disk", is_full).await;
    assert_eq!(still.height, height, "it does not run blocks that cannot be written");
    disk.resize_kib(ENOUGH_KIB);
    let indexed = Index::of(&mut process, tip).await;
    assert!(!is_full(&process.status().await.unwrap()));
    let mut fresh = start_configured(config(folder.path(), &node, "fresh"));
    assert_eq!(indexed, Index::of(&mut fresh, tip).await);
}

/// Not a byte is left, at the tip and at a start: neither ends the process.
#[tokio::test]
async fn a_pod_on_a_volume_without_a_byte_left_serves_at_the_tip_and_starts_when_there_is_room() {
    let folder = tempdir().unwrap();
    let mut node = Node::start();
    let disk = Tmpfs::of_kib(64 << 10);
    symlink(disk.path(), folder.path().join("data")).unwrap();
    let tip = node.mine(20);
    let mut process = start_configured(config(folder.path(), &node, "data"));
    process.wait_for_tip(tip).await;
    take_all(&disk);
    let next = node.mine(1);
    let full = process.wait("a full disk", is_full).await;
    assert_eq!((full.height, full.halt), (Some(tip.height.0), None));
    assert_ne!(is_served(&process).await, "0x");
    give_back(&disk);
    let followed = process.wait_for_tip(next).await;
    assert_eq!(followed.trouble, None);
    take_all(&disk);
    process.kill();
    let mut process = start_configured(config(folder.path(), &node, "data"));
    process.wait("a full disk", is_full).await;
    let next = node.mine(1);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    process.wait("a full disk", is_full).await;
    give_back(&disk);
    let tip = process.wait_for_tip(next).await;
    assert_eq!(tip.trouble, None);
    let indexed = Index::of(&mut process, next).await;
    let mut fresh = start_configured(config(folder.path(), &node, "fresh"));
    assert_eq!(indexed, Index::of(&mut fresh, next).await);
}

#[tokio::test]
async fn a_pod_whose_volume_is_too_small_for_a_copy_says_so_and_begins_with_it_when_it_has_grown() {
    let folder = tempdir().unwrap();
    let mut node = Node::start();
    let tip = node.mine(150);
    let mut first = start_configured(config(folder.path(), &node, "first"));
    first.wait_for_tip(tip).await;
    let disk = Tmpfs::of_kib(2 << 10);
    symlink(disk.path(), folder.path().join("second")).unwrap();
    let mut second = start_configured(Config {
        seed: Some(pod::Seed {
            at_height: None,
            from: vec![first.ops_url()],
            optional: true,
        }),
        ..config(folder.path(), &node, "second")
    });
    let full = second.wait("a full disk", is_full).await;
    assert!(full.seed.message.contains("make room"), "{:?}", full.seed);
    assert_eq!((full.seed.ok, full.height), (Some(false), None));
    disk.resize_kib(ENOUGH_KIB);
    let indexed = Index::of(&mut second, tip).await;
    let status = second.status().await.unwrap();
    assert_eq!((status.seed.reason.as_str(), status.trouble), ("Seeded", None));
    assert_eq!(indexed, Index::of(&mut first, tip).await);
}
