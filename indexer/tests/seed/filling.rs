//! A store filled with another pod's copy: where it ends up, which leftovers it replaces, and what it never accepts.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{Router, body::Body, extract::State, routing::post};
use bytes::Bytes;
use crds::pod::{self, CHECKPOINT_PATH, seed_reasons};
use futures::{StreamExt as _, stream};
use indexer::{
    seed::{
        fill::{Filled, Filling},
        serve::{Copies, router},
    },
    store::Store,
    telemetry::report::Report,
};
use tempfile::tempdir;
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, answer, identity, pod, pod_of, report::report, served, store, tampered};

fn filling(data_dir: &Path, url: &str) -> (Filling, Arc<Report>) {
    let report = Arc::new(report());
    let filling = Filling {
        identity: identity(),
        seed: pod::Seed {
            at_height: None,
            from: vec![url.into()],
            optional: false,
        },
        data_dir: data_dir.into(),
        store_dir: data_dir.join("store"),
        report: Arc::clone(&report),
        own_name: None,
    };
    (filling, report)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_try_left_behind_is_in_nobodys_way() {
    let (_dir, source, url) = pod(20_000).await;
    let dir = tempdir().unwrap();
    // Killed while it received: part of a copy. Killed before it was moved: a whole one, here of other rows, and the
    // store of before, without blocks.
    for left in ["part", "whole"] {
        let seed = dir.path().join("seed");
        if left == "part" {
            fs::create_dir_all(seed.join("rocksdb")).unwrap();
            fs::write(seed.join("rocksdb/000001.sst"), "half a file").unwrap();
        } else {
            drop(store(&seed, 10));
            fs::remove_dir_all(dir.path().join("store")).unwrap();
            drop(Store::open(&dir.path().join("store"), &identity(), 10).unwrap());
        }
        let (filling, _) = filling(dir.path(), &url);
        let filled = tokio::time::timeout(PATIENCE, filling.run(&CancellationToken::new())).await;
        assert_eq!(filled.expect("a copy in time").unwrap(), Filled::Copied, "{left}");
        assert!(!seed.exists(), "{left}");
        let copy = Store::open_existing(&dir.path().join("store")).unwrap();
        assert_eq!(copy.tip(), source.tip(), "{left}");
        assert_eq!(copy.stats().raw_bytes, source.stats().raw_bytes, "{left}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_digests_are_not_those_of_its_rows_is_refused_and_never_becomes_the_store() {
    let source_dir = tempdir().unwrap();
    let url = pod_of(source_dir.path(), tampered(&source_dir.path().join("store"))).await;
    let dir = tempdir().unwrap();
    let (filling, report) = filling(dir.path(), &url);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { filling.run(&stop).await }
    });
    let refused = async {
        loop {
            let seed = report.status().seed.clone();
            if seed.ok.is_some() {
                return seed;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let seed = tokio::time::timeout(PATIENCE, refused)
        .await
        .expect("a verdict in time");
    assert_eq!((seed.ok, seed.reason.as_str()), (Some(false), seed_reasons::REFUSED));
    assert!(seed.message.contains("is wrong"), "{}", seed.message);
    assert!(!dir.path().join("store").exists());
    stop.cancel();
    assert_eq!(running.await.unwrap().unwrap(), Filled::Stopped);
}

/// A filling of which the copy is optional.
fn optional(data_dir: &Path, from: &[&str]) -> (Filling, Arc<Report>) {
    let (mut filling, report) = filling(data_dir, "");
    filling.seed = pod::Seed {
        at_height: None,
        from: from.iter().map(ToString::to_string).collect(),
        optional: true,
    };
    (filling, report)
}

async fn filled(filling: &Filling) -> Filled {
    let stop = CancellationToken::new();
    let filled = tokio::time::timeout(PATIENCE, filling.run(&stop)).await;
    filled.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_begin_together_do_not_wait_for_each_other() {
    let dir = tempdir().unwrap();
    let other = Copies::new(dir.path());
    other.filling();
    let url = served(router(other)).await;
    let (mut filling, report) = optional(
        dir.path(),
        &[&url, "http://one-0.nowhere.invalid:9090", "http://localhost:9"],
    );
    // Known by its name, though nobody answers there.
    filling.own_name = Some("localhost".into());
    assert_eq!(filled(&filling).await, Filled::NoCopy);
    assert_eq!(report.status().seed.reason, seed_reasons::NO_COPY);
    assert!(!dir.path().join("store").exists());
}

/// One that sends a copy to somebody else, and one that is not open yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_will_have_a_copy_is_waited_for() {
    let (source_dir, dir) = (tempdir().unwrap(), tempdir().unwrap());
    let source = store(&source_dir.path().join("store"), 100);
    let copies = Copies::new(source_dir.path());
    let url = served(router(Arc::clone(&copies))).await;
    let (filling, report) = optional(dir.path(), &[&url]);
    let running = tokio::spawn(async move { filled(&filling).await });
    let waits = async {
        while report.status().seed.reason != seed_reasons::UNREACHABLE {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.expect("it says so");
    copies.open(source.clone());
    assert_eq!(running.await.unwrap(), Filled::Copied);
    let copy = Store::open_existing(&dir.path().join("store")).unwrap();
    assert_eq!(copy.tip(), source.tip());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_pod_is_asked_where_one_has_no_blocks_or_sends_what_is_wrong() {
    let empty_dir = tempdir().unwrap();
    let empty = Copies::new(empty_dir.path());
    empty.open(Store::open(&empty_dir.path().join("store"), &identity(), 10).unwrap());
    let empty = served(router(empty)).await;
    let wrong_dir = tempdir().unwrap();
    let wrong = pod_of(wrong_dir.path(), tampered(&wrong_dir.path().join("store"))).await;
    let (_dir, source, good) = pod(100).await;
    let dir = tempdir().unwrap();
    let (filling, _) = optional(dir.path(), &[&empty, &wrong, &good]);
    assert_eq!(filled(&filling).await, Filled::Copied);
    let copy = Store::open_existing(&dir.path().join("store")).unwrap();
    assert_eq!(copy.tip(), source.tip());
    // Where nobody has a good one, blocks come from the chain.
    let dir = tempdir().unwrap();
    let (filling, _) = optional(dir.path(), &[&empty, &wrong]);
    assert_eq!(filled(&filling).await, Filled::NoCopy);
    assert!(!dir.path().join("store").exists());
}

/// A pod whose answers end after so many bytes, but for the last one; counts the bytes of each.
#[derive(Clone)]
struct Cut {
    pod: String,
    after: Arc<[usize]>,
    sent: Arc<[AtomicUsize]>,
    asked: Arc<AtomicUsize>,
}

async fn cut_off(State(cut): State<Cut>, held: Bytes) -> Body {
    let now = cut.asked.fetch_add(1, SeqCst);
    let asked = reqwest::Client::new().post(format!("{}{CHECKPOINT_PATH}", cut.pod));
    let answer = asked.body(held).send().await.unwrap().bytes().await.unwrap();
    cut.sent[now].store(answer.len(), SeqCst);
    match cut.after.get(now) {
        None => Body::from(answer),
        Some(after) => {
            let pieces = [Ok(answer.slice(..*after)), Err(std::io::Error::other("gone"))];
            // A pause, or what came before is lost with the connection.
            let pieces = stream::iter(pieces).then(async |piece| {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                piece
            });
            Body::from_stream(pieces)
        }
    }
}

/// Where files end in an answer of which nothing is held.
fn ends(answer: &[u8]) -> Vec<usize> {
    let number = |at: usize| u64::from_be_bytes(answer[at..at + 8].try_into().unwrap());
    let mut at = 19 + u32::from_be_bytes(answer[15..19].try_into().unwrap()) as usize;
    let mut ends = Vec::new();
    while answer[at] > 0 {
        let name = usize::from(answer[at]);
        at += 1 + name + 8 + 1 + usize::try_from(number(at + 1 + name)).unwrap() + 32;
        ends.push(at);
    }
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_breaks_off_continues_at_the_file_also_after_a_restart() {
    let source_dir = tempdir().unwrap();
    let source = store(&source_dir.path().join("store"), 20_000);
    let is_at_rest = async {
        while source.stats().merging.pending > 0 || source.stats().runs > 8 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_at_rest).await.expect("it has merged");
    let pod = pod_of(source_dir.path(), source.clone()).await;
    let whole = answer(&pod).await;
    let ends = ends(&whole);
    // A file that is held takes its name, its hash and some bytes more.
    let heads = ends.len() * 100;
    // Which files there are, and in which order, is the merging's business: broken off is behind whatever came by
    // then, twice, as long as each time something was worth holding and something is left.
    let worth_holding = 100_000;
    let behind = |sent: usize| ends.iter().copied().find(|end| *end > sent + worth_holding);
    let first = behind(0).expect("a file");
    let second = behind(first).expect("another file");
    assert!(second + heads < whole.len(), "{ends:?}, {} in all", whole.len());
    let cut = Cut {
        pod,
        after: [first + 50, second - first + heads].into(),
        sent: (0..3).map(|_| AtomicUsize::new(0)).collect(),
        asked: Arc::default(),
    };
    let router = Router::new()
        .route(CHECKPOINT_PATH, post(cut_off))
        .with_state(cut.clone());
    let url = served(router).await;
    let dir = tempdir().unwrap();
    let (before, report) = filling(dir.path(), &url);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { before.run(&stop).await }
    });
    let broke_off = async {
        while report.status().seed.reason != seed_reasons::UNREACHABLE {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, broke_off).await.expect("it says so");
    stop.cancel();
    assert_eq!(running.await.unwrap().unwrap(), Filled::Stopped);

    let (filling, _) = filling(dir.path(), &url);
    assert_eq!(filled(&filling).await, Filled::Copied);
    let sent: Vec<_> = cut.sent.iter().map(|sent| sent.load(SeqCst)).collect();
    assert_eq!(sent[0], whole.len());
    assert!(sent[1] + first < whole.len() + heads, "{sent:?} {ends:?}");
    assert!(sent[2] + second < whole.len() + heads, "{sent:?} {ends:?}");
    let copy = Store::open_existing(&dir.path().join("store")).unwrap();
    copy.verify(|_| ()).unwrap();
    assert_eq!(copy.tip(), source.tip());
}
