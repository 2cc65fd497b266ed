//! What was changed, cut off or exchanged is refused and named, and nothing of it becomes a store.

use std::{fs, path::Path};

use crds::Network;
use indexer::{
    snapshot::{
        Error, Pace,
        manifest::{Manifest, Wanted},
        place::Place,
        restore::{Check, Restorer},
        sha256::Sha256,
        verify,
    },
    store::{self, Store},
};
use tempfile::{TempDir, tempdir};

use crate::{
    Index,
    fixture::{dump, identity, module, tamper_rows},
    folder, manifest, name, restore, restorer,
};

/// A snapshot of eight blocks in a folder.
struct Stage {
    index: Index,
    remote: TempDir,
    place: Place,
    manifest: Manifest,
}

impl Stage {
    async fn new() -> Self {
        Self::of(Index::new(8, 300)).await
    }

    async fn of(index: Index) -> Self {
        let remote = tempdir().unwrap();
        let place = folder(remote.path());
        index.publish(&place, None).await.unwrap();
        let manifest = manifest(&place, &name("7")).await;
        Self {
            index,
            remote,
            place,
            manifest,
        }
    }

    fn manifest_path(&self) -> std::path::PathBuf {
        self.remote.path().join("prefix/7/manifest.json")
    }

    /// The largest file, where it is stored.
    fn file(&self) -> (String, std::path::PathBuf) {
        let file = self.manifest.files.iter().max_by_key(|file| file.bytes).unwrap();
        let path = self.remote.path().join("prefix/files").join(file.sha256.to_string());
        (file.name.clone(), path)
    }

    fn restorer(&self, data_dir: &Path, check: Check) -> Restorer {
        restorer(&self.place, &name("7"), data_dir, check)
    }

    /// What restoring it fails with. No store is there then.
    async fn refused(&self, check: Check) -> Error {
        let copy = tempdir().unwrap();
        let error = restore(&self.restorer(copy.path(), check)).await.unwrap_err();
        assert!(!copy.path().join("store").exists(), "{error}");
        assert!(!error.is_for_now(), "{error}");
        error
    }

    async fn verified(&self) -> Result<Manifest, Error> {
        verify::files(
            &self.place,
            &name("7"),
            &Wanted::default(),
            None,
            &mut Pace::new(None),
            |_| (),
        )
        .await
    }
}

#[tokio::test]
async fn a_file_that_was_changed_cut_off_or_lost_is_named() {
    let stage = Stage::new().await;
    let (file, path) = stage.file();
    let good = fs::read(&path).unwrap();
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 1;
    for (bytes, words) in [
        (changed, "its SHA-256 is"),
        (good[..good.len() - 1].to_vec(), "bytes, not"),
        ([&good[..], b"more"].concat(), "bytes, not"),
    ] {
        fs::write(&path, bytes).unwrap();
        for error in [stage.refused(Check::Files).await, stage.verified().await.unwrap_err()] {
            let text = error.to_string();
            assert!(matches!(error, Error::File { .. }), "{text}");
            assert!(text.contains(&file) && text.contains(words), "{text}");
        }
    }
    fs::remove_file(&path).unwrap();
    let error = stage.refused(Check::Files).await;
    assert!(
        matches!(&error, Error::Missing { url } if url.contains("/files/")),
        "{error}"
    );
    // The publisher sees it and uploads it again; its snapshot is another one by then, since blocks came.
    let mut index = stage.index;
    index.grow(1, 300);
    index.publish(&stage.place, None).await.unwrap();
    let copy = tempdir().unwrap();
    restore(&restorer(&stage.place, &name("8"), copy.path(), Check::Digests))
        .await
        .unwrap();
    assert!(
        dump(&copy.path().join("store")) == dump(&index.store_dir()),
        "another index"
    );
}

#[tokio::test]
async fn a_manifest_that_was_changed_is_refused() {
    let stage = Stage::new().await;
    let good = fs::read_to_string(stage.manifest_path()).unwrap();
    let pin = Sha256::of(good.as_bytes());
    let digest = stage.manifest.tip.digest.to_string();
    for (from, to, words) in [
        (digest.as_str(), "0".repeat(64), "are not what its manifest says"),
        (
            "\"height\": 7",
            "\"height\": 6".into(),
            "are not what its manifest says",
        ),
        (
            "\"format\": 1",
            "\"format\": 9".into(),
            "is no manifest of a snapshot that can be used",
        ),
        (
            "\"storeFormat\": 2",
            "\"storeFormat\": 9".into(),
            "its store has format 9",
        ),
        (&"ab".repeat(32), "cd".repeat(32), "other modules built them"),
        ("regtest", "signet".into(), "other modules built them"),
        (
            "\"CURRENT\"",
            "\"../../CURRENT\"".into(),
            "is no manifest of a snapshot that can be used",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(stage.manifest_path(), good.replace(from, &to)).unwrap();
        let text = stage.refused(Check::Files).await.to_string();
        assert!(text.contains(words), "{text}");
        // The pin finds it before anything else does.
        let copy = tempdir().unwrap();
        let mut pinned = stage.restorer(copy.path(), Check::Files);
        pinned.pinned = Some(pin);
        let error = restore(&pinned).await.unwrap_err();
        assert!(
            matches!(error, Error::Pinned { wanted, .. } if wanted == pin),
            "{error}"
        );
    }
    fs::write(stage.manifest_path(), good).unwrap();
    let copy = tempdir().unwrap();
    let mut pinned = stage.restorer(copy.path(), Check::Digests);
    pinned.pinned = Some(pin);
    restore(&pinned).await.unwrap();
}

#[tokio::test]
async fn rows_that_are_not_those_of_the_digests_are_found_by_computing_them() {
    let index = Index::new(8, 300);
    tamper_rows(&index.store_dir(), |rows| {
        let value = rows.values_mut().next().unwrap();
        value[0] ^= 1;
    });
    let stage = Stage::of(index).await;
    let error = stage.refused(Check::Digests).await;
    assert!(matches!(error, Error::Wrong { .. }), "{error}");
    let scratch = tempdir().unwrap();
    let (wanted, mut pace) = (Wanted::default(), Pace::new(None));
    let checked = verify::digests(
        &stage.place,
        &name("7"),
        &wanted,
        None,
        scratch.path(),
        &mut pace,
        |_| (),
    )
    .await;
    assert!(matches!(checked, Err(Error::Wrong { .. })), "{checked:?}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "something is left");
    // Its files are those of the manifest all the same.
    stage.verified().await.unwrap();
}

#[tokio::test]
async fn another_index_is_refused_before_anything_is_downloaded() {
    let stage = Stage::new().await;
    fs::remove_dir_all(stage.remote.path().join("prefix/files")).unwrap();
    let copy = tempdir().unwrap();
    let of = |identity| Wanted {
        identity: Some(identity),
        ..Wanted::default()
    };
    for (wanted, words) in [
        (of(module("cd", 0)), "its module is abab"),
        (of(identity(5)), "its chain.startHeight is 0, not 5"),
        (
            Wanted {
                network: Some(Network::Mainnet),
                ..Wanted::default()
            },
            "its network is regtest, not mainnet",
        ),
    ] {
        let mut restorer = stage.restorer(copy.path(), Check::Files);
        restorer.wanted = wanted;
        let error = restore(&restorer).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!copy.path().join("store").exists());
    }
}

#[tokio::test]
async fn a_folder_in_which_something_is_keeps_it() {
    let stage = Stage::new().await;
    let other = Index::new(3, 100);
    let before = dump(&other.store_dir());
    let error = restore(&stage.restorer(other.data_dir(), Check::Files))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Store(store::Error::Occupied { height, .. }) if height.0 == 2),
        "{error}"
    );
    assert!(dump(&other.store_dir()) == before, "it was changed");
    // In use.
    let store = other.store();
    let error = restore(&stage.restorer(other.data_dir(), Check::Files))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(store);
    // Somebody's files.
    let foreign = tempdir().unwrap();
    fs::create_dir(foreign.path().join("store")).unwrap();
    fs::write(foreign.path().join("store/letter"), "dear").unwrap();
    let error = restore(&stage.restorer(foreign.path(), Check::Files))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("holds no store of this program"), "{error}");
    assert_eq!(fs::read_to_string(foreign.path().join("store/letter")).unwrap(), "dear");
    // One without blocks has nothing to lose.
    let empty = tempdir().unwrap();
    drop(Store::open(&empty.path().join("store"), &module("cd", 0), 10).unwrap());
    restore(&stage.restorer(empty.path(), Check::Files)).await.unwrap();
    assert!(
        dump(&empty.path().join("store")) == dump(&stage.index.store_dir()),
        "another index"
    );
}
