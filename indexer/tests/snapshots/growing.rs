//! Snapshot after snapshot of an index that grows.

use std::{collections::BTreeSet, num::NonZeroU32, thread, time::Duration};

use bitcoin::{BlockHash, hashes::Hash as _};
use indexer::{
    chain::{BlockRef, Height},
    snapshot::{
        Error, Pace,
        manifest::{Manifest, Wanted},
        place::Place,
        plan::Retention,
        restore::Check,
        verify,
    },
    store::{self, Durability, Store},
};
use tempfile::tempdir;

use crate::{
    Index, bucket,
    fixture::{commit_at_tip, dump, identity, module, pairs, write_set},
    folder, manifest, name, publish, restore, restorer,
    s3::Server,
};

/// At once nothing is left that no kept snapshot names.
fn keep(snapshots: u32) -> Option<Retention> {
    Some(Retention {
        keep: NonZeroU32::new(snapshots).unwrap(),
        grace: Duration::ZERO,
    })
}

#[tokio::test]
async fn in_a_bucket_the_next_snapshot_uploads_only_what_the_one_before_has_not() {
    let server = Server::start();
    grows(&bucket(&server.endpoint())).await;
}

#[tokio::test]
async fn in_a_folder_the_next_snapshot_uploads_only_what_the_one_before_has_not() {
    let dir = tempdir().unwrap();
    grows(&folder(dir.path())).await;
}

async fn grows(place: &Place) {
    // Files of rows of several megabytes, so that some go in parts.
    let mut index = Index::new(20, 40_000);
    let mut before = index.publish(place, None).await.unwrap();
    assert_eq!(before.uploaded.1, before.bytes);
    let mut uploaded = 0;
    for _ in 1..10 {
        index.grow(5, 40_000);
        let last = manifest(place, &name(&before.tip.at.height.to_string())).await;
        let published = index.publish(place, None).await.unwrap();
        let new = manifest(place, &name(&published.tip.at.height.to_string())).await;
        let known: BTreeSet<_> = last.files.iter().map(|file| file.sha256).collect();
        let wanted: u64 = new
            .files
            .iter()
            .filter(|file| !known.contains(&file.sha256))
            .map(|file| file.bytes)
            .sum();
        assert_eq!(published.uploaded.1, wanted);
        uploaded += wanted;
        before = published;
    }
    let new_rows = 9 * 5 * 20 * 40_000;
    println!("nine more snapshots: {uploaded} bytes uploaded for {new_rows} bytes of new rows");
    assert!(uploaded <= 4 * new_rows, "{uploaded} bytes for {new_rows}");

    // The same once more is nothing.
    let again = index.publish(place, None).await.unwrap();
    assert!(again.was_there && again.uploaded == (0, 0));
    assert_eq!(
        (again.manifest_sha256, again.url),
        (before.manifest_sha256, before.url.clone())
    );

    let kept = index.publish(place, keep(2)).await.unwrap();
    assert_eq!(kept.tidied.as_ref().unwrap().snapshots.len(), 8);
    let names = place.names().await.unwrap();
    assert_eq!(names, ["59", "64"].map(name));
    let mut named = BTreeSet::new();
    for name in &names {
        let manifest = verify::files(place, name, &Wanted::default(), None, &mut Pace::new(None), |_| ()).await;
        named.extend(manifest.unwrap().files.iter().map(|file| file.sha256));
    }
    let stored: BTreeSet<_> = place
        .files()
        .await
        .unwrap()
        .iter()
        .map(|stored| stored.sha256)
        .collect();
    assert_eq!(stored, named);

    // What is restored is what an index is that got these blocks and nothing else.
    let copy = tempdir().unwrap();
    let restored = restore(&restorer(place, &names[1], copy.path(), Check::Digests))
        .await
        .unwrap();
    assert_eq!(Some(restored.tip), index.chain.tip());
    assert!(
        dump(&copy.path().join("store")) == index.chain.fresh_dump(),
        "another index"
    );
    assert!(!copy.path().join("restore").exists());
}

#[tokio::test]
async fn files_of_a_snapshot_that_may_be_under_way_stay() {
    let dir = tempdir().unwrap();
    let place = folder(dir.path());
    let mut index = Index::new(6, 100);
    index.publish(&place, None).await.unwrap();
    let first = place.files().await.unwrap().len();
    index.grow(30, 100);
    let one = NonZeroU32::MIN;
    let grace = Duration::from_secs(3600);
    let kept = index
        .publish(&place, Some(Retention { keep: one, grace }))
        .await
        .unwrap();
    let tidied = kept.tidied.unwrap();
    assert_eq!((tidied.snapshots, tidied.files), (vec![name("5")], 0));
    assert!(place.files().await.unwrap().len() > first);
    let kept = index.publish(&place, keep(1)).await.unwrap();
    assert!(kept.tidied.unwrap().files > 0);
    let copy = tempdir().unwrap();
    restore(&restorer(&place, &name("35"), copy.path(), Check::Digests))
        .await
        .unwrap();
}

#[tokio::test]
async fn two_revisions_share_a_prefix_and_neither_loses_anything_to_the_other() {
    let dir = tempdir().unwrap();
    let place = folder(dir.path());
    let mut ours = Index::new(10, 300);
    let their_dir = tempdir().unwrap();
    let other = module("cd", 0);
    let theirs = Store::open(&their_dir.path().join("store"), &other, 10).unwrap();
    let fill = |blocks: u32| {
        for _ in 0..blocks {
            let height = Height(theirs.tip().map_or(0, |tip| tip.at.height.0 + 1));
            let writes = write_set(&pairs([("k", height.to_string())]));
            let at = BlockRef {
                height,
                hash: BlockHash::all_zeros(),
            };
            let digest = theirs.chained_onto().next(height, at.hash, writes.hash());
            theirs.commit(at, &writes, digest, Durability::Lazy).unwrap();
        }
    };
    fill(10);
    let first = ours.publish(&place, keep(1)).await.unwrap();
    let second = publish(&theirs, their_dir.path(), &place, keep(1)).await.unwrap();
    assert!(first.url.ends_with("/9"), "{}", first.url);
    assert!(
        second.url.ends_with(&format!("/9-{}", other.revision())),
        "{}",
        second.url
    );
    for _ in 0..2 {
        ours.grow(3, 300);
        fill(2);
        ours.publish(&place, keep(1)).await.unwrap();
        publish(&theirs, their_dir.path(), &place, keep(1)).await.unwrap();
    }
    let names = place.names().await.unwrap();
    assert_eq!(names, ["13", "15"].map(name));
    for (name, of) in names.iter().zip([other, identity(0)]) {
        let copy = tempdir().unwrap();
        let wanted = Wanted {
            identity: Some(of.clone()),
            ..Wanted::default()
        };
        let mut wants = restorer(&place, name, copy.path(), Check::Digests);
        wants.wanted = wanted;
        restore(&wants).await.unwrap();
        wants.wanted.identity = Some(module("ef", 0));
        let refused = restore(&wants).await.unwrap_err();
        assert!(
            matches!(refused, Error::Store(store::Error::Occupied { .. })),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_published_while_blocks_are_committed_undone_and_merged() {
    let server = Server::start();
    let place = bucket(&server.endpoint());
    let index = Index::new(1, 2_000);
    let store = index.store();
    let mut chain = index.chain.clone();
    crate::extend(&mut chain, 600, 2_000);
    let writing = {
        let (store, blocks) = (store.clone(), chain.blocks.clone());
        thread::spawn(move || {
            for (step, block) in blocks[1..].iter().enumerate() {
                commit_at_tip(&store, block);
                if step % 100 == 99 {
                    store
                        .unwind(block.tip.at.height.prev().and_then(|below| below.prev()))
                        .unwrap();
                    for again in &blocks[step..=step + 1] {
                        commit_at_tip(&store, again);
                    }
                }
            }
        })
    };
    let mut published = Vec::new();
    while !writing.is_finished() {
        // As a task of a pod: beside everything else.
        let (store, data_dir, place) = (store.clone(), index.data_dir().to_owned(), place.clone());
        let publishing = tokio::spawn(async move { publish(&store, &data_dir, &place, None).await });
        published.push(publishing.await.unwrap().unwrap());
    }
    writing.join().unwrap();
    published.dedup_by_key(|published| published.tip);
    assert!(published.len() > 1, "nothing was committed meanwhile");
    for one in [published.first(), published.last()].into_iter().flatten() {
        let copy = tempdir().unwrap();
        let named = name(one.url.rsplit('/').next().unwrap());
        let restored: Manifest = restore(&restorer(&place, &named, copy.path(), Check::Digests))
            .await
            .unwrap();
        assert_eq!(restored.tip, one.tip);
    }
}
