//! One module after another on the same data, with the real program and a real node: in place, and beside the old one
//! with a copy of its data; and an index that begins with a snapshot.
#![allow(clippy::unwrap_used)] // All of it is tests, though the lint sees that of the functions marked so only.

#[path = "../support/node.rs"]
mod node;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/rows.rs"]
mod rows;
#[path = "../support/s3.rs"]
mod s3;
mod snapshots;

use std::{fs, path::Path, time::Duration};

use crds::{
    Identity, Network, Phase, RefreshPolicy,
    pod::{self, Config, Module, Seed, Status, module_reasons, seed_reasons},
};
use node::Node;
use process::{Process, start_configured};
use sha2::{Digest as _, Sha256};

const CHAINED: &str = include_str!("../support/chained.wat");
/// So many blocks can be undone.
const DEPTH: u32 = 12;

/// The first module's guest, or one with more work, so with other numbers from its first block on.
fn guest(rounds: u32) -> Vec<u8> {
    let one = "$rounds i32 (i32.const 1)";
    assert!(CHAINED.contains(one));
    wat::parse_str(CHAINED.replace(one, &format!("$rounds i32 (i32.const {rounds})"))).unwrap()
}

/// What the operator would write for a pod of this name and module.
fn config(folder: &Path, node: &Node, name: &str, rounds: u32) -> Config {
    let path = folder.join(format!("guest-{rounds}.wasm"));
    let bytes = guest(rounds);
    fs::write(&path, &bytes).unwrap();
    Config {
        indexer: name.into(),
        identity: Identity {
            module_sha256: hex::encode(Sha256::digest(bytes)),
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
        max_reorg_depth: DEPTH,
        max_behind: 2,
        threshold_bytes: 64 << 20,
        refresh: RefreshPolicy::EveryBlock,
        stop_height: None,
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
        data_dir: folder.join(name),
        rpc_listen: String::new(),
        ops_listen: String::new(),
        cors_origin: None,
        exit_at: None,
        bootstrap: None,
        snapshots: None,
    }
}

fn seed(at_height: Option<u32>, from: &[&Process]) -> Option<Seed> {
    let from = from.iter().map(|process| process.ops_url()).collect();
    Some(Seed {
        at_height,
        from,
        optional: false,
    })
}

/// SIGTERM to all of them, their ends, and what they leave on the disk.
async fn stopped<const N: usize>(folder: &Path, processes: [(Process, &str); N]) -> [rows::Dump; N] {
    // All at once: each keeps answering for some seconds.
    for (process, _) in &processes {
        process.terminate();
    }
    let mut dumps = Vec::new();
    for (mut process, name) in processes {
        assert!(process.exit().await.success(), "{}", process.log());
        let data = folder.join(name);
        for left in ["seed", "checkpoint"] {
            assert!(!data.join(left).exists(), "{name}/{left}");
        }
        dumps.push(rows::dump(&data.join("store")));
    }
    dumps.try_into().unwrap()
}

/// The module with so many rounds, as a lineage names it.
fn sha256(rounds: u32) -> String {
    hex::encode(Sha256::digest(guest(rounds)))
}

/// First heights and modules, as the status has them.
fn lineage(status: &Status) -> Vec<(u32, String)> {
    let steps = status.lineage.iter();
    steps
        .map(|step| (step.from_height, step.module_sha256.clone()))
        .collect()
}

/// The index of the first module up to a height, which the second one then continues in place.
async fn continued_in_place(folder: &Path, node: &Node, name: &str, at: u32) -> (Process, Status) {
    let mut first = config(folder, node, name, 1);
    first.exit_at = Some(at);
    assert!(start_configured(first).exit().await.success());
    let mut second = config(folder, node, name, 2);
    second.in_place = true;
    second.in_place_at = Some(at);
    let mut process = start_configured(second);
    let status = process.wait_for_tip(node.tip()).await;
    (process, status)
}

#[tokio::test]
async fn a_candidate_that_begins_with_a_copy_ends_like_one_that_went_on_in_place() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut node = Node::start();
    let tip = node.mine(60);
    let mut active = start_configured(config(folder, &node, "active", 1));
    active.wait_for_tip(tip).await;

    // One copy is cut further down than a run may undo blocks, one where it may, and one only once the chain is there.
    for (at, name) in [(30, "far"), (55, "near"), (63, "ahead")] {
        let mut candidate = config(folder, &node, name, 2);
        candidate.seed = seed(Some(at), &[&active]);
        for delay in [0, 50, 100, 150, 200, 300] {
            // In the middle of whatever it does by then: on the second try nothing of the first may be left.
            let victim = start_configured(candidate.clone());
            tokio::time::sleep(Duration::from_millis(delay)).await;
            victim.kill();
        }
        let mut candidate = start_configured(candidate);
        if at > tip.height.0 {
            let waiting = candidate
                .wait("a refusal", |status| status.seed.ok == Some(false))
                .await;
            assert_eq!(waiting.seed.reason, seed_reasons::UNREACHABLE);
            let words = "it is at block 60, and blocks up to 63 are wanted";
            assert!(waiting.seed.message.contains(words), "{}", waiting.seed.message);
            assert_eq!((waiting.phase, waiting.height), (Phase::Starting, None));
            node.mine(5);
        }
        let status = candidate.wait_for_tip(node.tip()).await;
        assert_eq!(
            (status.seed.ok, status.seed.reason.as_str()),
            (Some(true), seed_reasons::SEEDED)
        );
        assert_eq!(lineage(&status), [(0, sha256(1)), (at + 1, sha256(2))]);

        // Pods of the same module take all of each other.
        let mut sibling = config(folder, &node, &format!("{name}-sibling"), 2);
        sibling.seed = seed(Some(at), &[&candidate, &active]);
        let mut sibling = start_configured(sibling);
        let copied = sibling.wait_for_tip(node.tip()).await;
        assert_eq!((&copied.digest, &copied.lineage), (&status.digest, &status.lineage));

        let (in_place, went_on) = continued_in_place(folder, &node, &format!("{name}-in-place"), at + 1).await;
        assert_eq!((&went_on.digest, &went_on.lineage), (&status.digest, &status.lineage));
        let (sibling_name, in_place_name) = (format!("{name}-sibling"), format!("{name}-in-place"));
        let all = [
            (candidate, name),
            (sibling, &*sibling_name),
            (in_place, &*in_place_name),
        ];
        let dumps = stopped(folder, all).await;
        assert!(dumps.iter().all(|dump| *dump == dumps[0]), "{name}: another index");
    }
    active.wait_for_tip(node.tip()).await;
    stopped(folder, [(active, "active")]).await;
}

#[tokio::test]
async fn a_module_that_is_taken_back_ends_with_the_digest_of_one_that_was_never_left() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut node = Node::start();
    node.mine(30);
    let (process, status) = continued_in_place(folder, &node, "index", 21).await;
    assert_eq!(lineage(&status), [(0, sha256(1)), (21, sha256(2))]);
    stopped(folder, [(process, "index")]).await;
    node.mine(2);
    let mut back = config(folder, &node, "index", 1);
    back.in_place = true;
    let mut back = start_configured(back);
    let status = back.wait_for_tip(node.tip()).await;
    assert!(status.lineage.is_empty());
    let mut alone = start_configured(config(folder, &node, "alone", 1));
    assert_eq!(alone.wait_for_tip(node.tip()).await.digest, status.digest);
    let dumps = stopped(folder, [(back, "index"), (alone, "alone")]).await;
    assert!(dumps[0] == dumps[1], "another index");
}

type Change = fn(&mut Config);

/// A change of the configuration, the module, and why the pod refuses the data, which ends at block 40.
const REFUSED: [(Change, u32, &str); 4] = [
    (
        |_| {},
        1,
        "blocks 11 to 40 would have to be undone, and only blocks 29 to 40 can be undone: declare module",
    ),
    (
        |c| c.in_place_at = Some(42),
        3,
        "it ends at block 40, and the module takes over at block 42 only",
    ),
    (
        |c| c.in_place_at = Some(20),
        3,
        "blocks 20 to 40 would have to be undone",
    ),
    (
        |c| c.identity.memory_limit_bytes = 128 << 20,
        3,
        "its memory.limit is 268435456 bytes, not 134217728 bytes",
    ),
];

#[tokio::test]
async fn data_that_cannot_be_continued_is_reported_by_a_pod_that_stays_up() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut node = Node::start();
    node.mine(20);
    let (process, _) = continued_in_place(folder, &node, "index", 11).await;
    let [before] = stopped(folder, [(process, "index")]).await;
    node.mine(20);
    let continued = async |change: Change, rounds| {
        let mut config = config(folder, &node, "index", rounds);
        config.in_place = true;
        change(&mut config);
        start_configured(config)
    };
    // The newest module continues its own data, until its first block cannot be undone any more.
    let mut process = continued(|_| {}, 2).await;
    process.wait_for_tip(node.tip()).await;
    let [after] = stopped(folder, [(process, "index")]).await;
    assert!(before != after);
    for (change, rounds, words) in REFUSED {
        let mut process = continued(change, rounds).await;
        let status = process
            .wait("a refusal", |status| status.module.ok == Some(false))
            .await;
        assert_eq!(
            (status.phase, status.module.reason.as_str(), status.ready),
            (Phase::ModuleInvalid, module_reasons::IN_PLACE_REFUSED, false)
        );
        assert!(status.module.message.contains(words), "{}", status.module.message);
        process.kill();
        assert!(rows::dump(&folder.join("index/store")) == after, "another index");
    }

    // Nor does an empty replica begin in the middle, until it may ask another one.
    let mut empty = config(folder, &node, "empty", 2);
    empty.in_place = true;
    empty.in_place_at = Some(11);
    let mut refused = start_configured(empty.clone());
    let status = refused
        .wait("a refusal", |status| status.module.ok == Some(false))
        .await;
    assert!(
        status.module.message.contains("fill it with a copy"),
        "{}",
        status.module.message
    );
    refused.terminate();
    assert!(refused.exit().await.success());
    let mut full = continued(|_| {}, 2).await;
    full.wait_for_tip(node.tip()).await;
    empty.seed = seed(None, &[&full]);
    let mut filled = start_configured(empty);
    filled.wait_for_tip(node.tip()).await;
    let dumps = stopped(folder, [(full, "index"), (filled, "empty")]).await;
    assert!(dumps[0] == dumps[1] && dumps[0] == after, "another index");
}

#[tokio::test]
async fn a_copy_of_another_index_is_refused_and_one_of_nobody_is_waited_for() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let mut node = Node::start();
    let tip = node.mine(12);
    let mut active = start_configured(config(folder, &node, "active", 1));
    active.wait_for_tip(tip).await;
    let mut candidate = config(folder, &node, "candidate", 2);
    candidate.identity.memory_limit_bytes = 128 << 20;
    candidate.seed = seed(Some(5), &[&active]);
    let mut refused = start_configured(candidate.clone());
    let status = refused.wait("a refusal", |status| status.seed.ok == Some(false)).await;
    assert_eq!(status.seed.reason, seed_reasons::REFUSED);
    assert!(
        status.seed.message.contains("its memory.limit is"),
        "{}",
        status.seed.message
    );
    stop_unfilled(refused).await;

    let mut candidate = config(folder, &node, "candidate", 2);
    candidate.seed = seed(Some(5), &[&active]);
    stopped(folder, [(active, "active")]).await;
    let mut waiting = start_configured(candidate);
    let status = waiting.wait("no answer", |status| status.seed.ok == Some(false)).await;
    assert_eq!(status.seed.reason, seed_reasons::UNREACHABLE);
    stop_unfilled(waiting).await;
    assert!(!folder.join("candidate/store").exists());
}

async fn stop_unfilled(mut process: Process) {
    process.terminate();
    assert!(process.exit().await.success(), "{}", process.log());
}
