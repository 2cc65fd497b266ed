//! A store filled with another pod's copy: where it ends up, which leftovers it replaces, and what it never accepts.

use std::{fs, path::Path, sync::Arc};

use crds::pod::{self, seed_reasons};
use indexer::{seed::fill::Filling, store::Store, telemetry::report::Report};
use tempfile::tempdir;
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, identity, pod, pod_of, report::report, store, tampered};

fn filling(data_dir: &Path, url: &str) -> (Filling, Arc<Report>) {
    let report = Arc::new(report());
    let filling = Filling {
        identity: identity(),
        seed: pod::Seed {
            at_height: None,
            from: vec![url.into()],
        },
        data_dir: data_dir.into(),
        store_dir: data_dir.join("store"),
        report: Arc::clone(&report),
    };
    (filling, report)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_try_left_behind_is_in_nobodys_way() {
    let (_dir, source, url) = pod(20_000).await;
    let dir = tempdir().unwrap();
    // Killed while it received: part of a copy. Killed before it was moved: a whole one, here of other rows, and the
    // store of before.
    for left in ["part", "whole"] {
        let seed = dir.path().join("seed");
        if left == "part" {
            fs::create_dir_all(seed.join("rocksdb")).unwrap();
            fs::write(seed.join("rocksdb/000001.sst"), "half a file").unwrap();
        } else {
            drop(store(&seed, 10));
        }
        let (filling, _) = filling(dir.path(), &url);
        let filled = tokio::time::timeout(PATIENCE, filling.run(&CancellationToken::new())).await;
        assert!(filled.expect("a copy in time").unwrap(), "{left}");
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
    assert!(!running.await.unwrap().unwrap(), "stopped before it was filled");
}
