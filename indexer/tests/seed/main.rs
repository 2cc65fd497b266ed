//! Copies over HTTP: what a pod sends, and what another one makes of it, also when it arrives damaged.
#![allow(clippy::unwrap_used)] // All of it is tests, though the lint sees that of the functions marked so only.

mod filling;
#[path = "../support/report.rs"]
mod report;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, routing::post};
use bitcoin::{BlockHash, hashes::Hash};
use crds::{Identity, Network, pod::CHECKPOINT_PATH};
use futures::stream;
use indexer::{
    chain::{BlockRef, Height},
    seed::{
        fetch::{Error, Incoming, client},
        held::Held,
        serve::{Copies, router},
    },
    state::WriteSet,
    store::{Durability, Store, prepare},
};
use tempfile::{TempDir, tempdir};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(60);

fn identity() -> Identity {
    Identity {
        module_sha256: "ab".repeat(32),
        network: Network::Regtest,
        start_height: 0,
        memory_limit_bytes: 1 << 30,
    }
}

/// A store of 20 blocks with 10 values each, which do not compress.
fn store(dir: &Path, value_bytes: usize) -> Store {
    store_but(dir, value_bytes, None)
}

/// The same, but one row is not the one its block's digest is of.
fn tampered(dir: &Path) -> Store {
    store_but(dir, 100, Some(7))
}

fn store_but(dir: &Path, value_bytes: usize, changed: Option<u32>) -> Store {
    let store = Store::open(dir, &identity(), 10).unwrap();
    for height in 0..20_u32 {
        let value = |n: u32| {
            let mut bytes = vec![0; value_bytes];
            blake3::Hasher::new()
                .update(&[height.to_be_bytes(), n.to_be_bytes()].concat())
                .finalize_xof()
                .fill(&mut bytes);
            bytes
        };
        let writes = WriteSet::from_flushed((0..10_u32).map(|n| (n.to_be_bytes(), value(n))));
        let (at, hash) = (Height(height), BlockHash::all_zeros());
        let digest = store.chained_onto().next(at, hash, writes.hash());
        let stored = if changed == Some(height) {
            WriteSet::from_flushed((0..10_u32).map(|n| (n.to_be_bytes(), value(n + 1))))
        } else {
            writes
        };
        store
            .commit(BlockRef { height: at, hash }, &stored, digest, Durability::Lazy)
            .unwrap();
    }
    store
}

/// Serves on a port of this machine; its URL.
async fn served(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A pod with a store, and its URL.
async fn pod(value_bytes: usize) -> (TempDir, Store, String) {
    let dir = tempdir().unwrap();
    let store = store(&dir.path().join("store"), value_bytes);
    let url = pod_of(dir.path(), store.clone()).await;
    (dir, store, url)
}

/// The URL of a pod that has this store.
async fn pod_of(dir: &Path, store: Store) -> String {
    let copies = Copies::new(dir);
    copies.open(store);
    served(router(copies)).await
}

/// A pod that answers just these bytes.
async fn answering(bytes: Vec<u8>) -> String {
    let bytes = Arc::new(bytes);
    served(Router::new().route(CHECKPOINT_PATH, post(async move || Body::from(bytes.to_vec())))).await
}

async fn received(url: &str) -> Result<(TempDir, Store), Error> {
    let (incoming, offer) = Incoming::ask(&client().unwrap(), url, &Held::default()).await?;
    let dir = tempdir().unwrap();
    let mut told = 0;
    let folder = prepare(dir.path()).unwrap();
    incoming
        .receive(&offer, &folder, &mut Held::default(), |bytes| told = bytes)
        .await?;
    assert_eq!(told, offer.bytes);
    let store = Store::open_existing(dir.path()).unwrap();
    Ok((dir, store))
}

/// All that a pod answers.
async fn answer(url: &str) -> Vec<u8> {
    let asked = reqwest::Client::new().post(format!("{url}{CHECKPOINT_PATH}")).send();
    let answer = asked.await.unwrap();
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn what_is_received_is_what_the_other_pod_has() {
    let (dir, store, url) = pod(20_000).await;
    for _ in 0..2 {
        let (_copy_dir, copy) = received(&url).await.unwrap();
        assert_eq!((copy.tip(), copy.lineage()), (store.tip(), store.lineage()));
        copy.verify(|_| ()).unwrap();
    }
    assert!(!dir.path().join("checkpoint").exists());
}

#[tokio::test]
async fn what_was_changed_or_cut_off_on_its_way_is_noticed() {
    let (_dir, _store, url) = pod(20_000).await;
    let good = answer(&url).await;
    assert!(good.len() > 1 << 20);
    received(&answering(good.clone()).await).await.unwrap();
    let end = good.len();
    for length in [0, 5, 17, 40, 2_000, end / 2, end - 33, end - 1] {
        let error = received(&answering(good[..length].to_vec()).await).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{length}: {error}");
    }
    for at in [0, 16, end / 3, end / 2, end - 2, end - 1] {
        let mut spoiled = good.clone();
        spoiled[at] ^= 0x41;
        let error = received(&answering(spoiled).await).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{at}: {error}");
    }
    let broken_off = Router::new().route(
        CHECKPOINT_PATH,
        post(async move || {
            let pieces = [Ok(good[..1 << 20].to_vec()), Err(std::io::Error::other("gone"))];
            Body::from_stream(stream::iter(pieces))
        }),
    );
    let error = received(&served(broken_off).await).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_file_cannot_be_put_elsewhere_nor_be_longer_than_was_offered() {
    let (_dir, _store, url) = pod(20_000).await;
    let good = answer(&url).await;
    let offer = 19 + u32::from_be_bytes(good[15..19].try_into().unwrap()) as usize;
    let with = |file: &[u8], bytes: u64| {
        let name = [&[u8::try_from(file.len()).unwrap()], file].concat();
        [&good[..offer], &name, &bytes.to_be_bytes(), &[0; 65]].concat()
    };
    for (file, bytes, words) in [
        (&b"../outside"[..], 8, "a name that none can have"),
        (b"/tmp/outside", 8, "a name that none can have"),
        (b"000001.sst", u64::MAX, "longer than was offered"),
        (b"000001.sst", 8, "is not what was sent"),
    ] {
        let error = received(&answering(with(file, bytes)).await).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn one_copy_is_sent_at_a_time_and_goes_when_nobody_takes_it() {
    let (dir, _store, url) = pod(400_000).await;
    let left_over = dir.path().join("checkpoint");
    // Asked and not read to its end: 80 MB are more than fits into pieces and sockets.
    let (first, offer) = Incoming::ask(&client().unwrap(), &url, &Held::default()).await.unwrap();
    assert_eq!(offer.height, Height(19));
    assert!(left_over.exists());
    let error = received(&url).await.unwrap_err();
    let Error::Status { status: 503, words, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(words, "another copy is under way");
    drop(first);
    let end = Instant::now() + PATIENCE;
    while left_over.exists() {
        assert!(Instant::now() < end, "the copy stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    received(&url).await.unwrap();
}

#[tokio::test]
async fn a_pod_without_blocks_or_without_a_store_says_so_and_leftovers_go() {
    let refused = async |url: &str| match received(url).await {
        Err(Error::Status { status, words, .. }) => (status, words),
        other => panic!("{:?}", other.map(|(_, store)| store)),
    };
    let dir = tempdir().unwrap();
    let left_over = dir.path().join("checkpoint");
    fs::create_dir_all(left_over.join("of a process that died")).unwrap();
    let copies = Copies::new(dir.path());
    let url = served(router(copies.clone())).await;
    assert_eq!(refused(&url).await, (503, "the index is not open yet".into()));
    let store = Store::open(&dir.path().join("store"), &identity(), 10).unwrap();
    copies.open(store);
    assert!(!left_over.exists());
    assert_eq!(refused(&url).await, (404, "nothing is indexed yet".into()));
    assert!(!left_over.exists());
}
