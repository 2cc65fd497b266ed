//! Snapshots in a real S3 server and in folders: published from a growing index, restored, tidied up; with servers that
//! fail, and with what was tampered with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

mod beside;
mod between;
mod command_line;
mod faults;
#[allow(dead_code, unused_imports)] // Tests of the store use all of it.
#[path = "../store/fixture.rs"]
mod fixture;
mod growing;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/s3.rs"]
mod s3;
mod tampered;
#[path = "../faults/tmpfs.rs"]
mod tmpfs;
mod web;

use std::{
    fs,
    path::{Path, PathBuf},
};

use indexer::{
    snapshot::{
        Error, Pace,
        manifest::{Manifest, Wanted},
        name::Name,
        place::{Access, Place},
        plan::Retention,
        publish::{Published, Publisher},
        restore::{Check, Restorer},
    },
    store::Store,
};
use tempfile::{TempDir, tempdir};

use fixture::{Chain, DEEP, commit_at_tip, open, pairs};

/// Blocks of 20 values that do not compress.
pub(crate) fn extend(chain: &mut Chain, blocks: u32, value_bytes: usize) {
    for _ in 0..blocks {
        let height = chain.next();
        let value = |n: u32| {
            let mut bytes = vec![0; value_bytes];
            let mut hasher = blake3::Hasher::new();
            hasher.update(&[height.to_be_bytes(), n.to_be_bytes()].concat());
            hasher.finalize_xof().fill(&mut bytes);
            bytes
        };
        chain.extend(0, pairs((0..20).map(|n| (format!("{height}/{n}"), value(n)))));
    }
}

/// An index on this machine.
pub(crate) struct Index {
    pub(crate) dir: TempDir,
    pub(crate) chain: Chain,
}

impl Index {
    pub(crate) fn new(blocks: u32, value_bytes: usize) -> Self {
        let mut index = Self {
            dir: tempdir().unwrap(),
            chain: Chain::new(0),
        };
        index.grow(blocks, value_bytes);
        index
    }

    /// More blocks, as at the tip, with what merges become due.
    pub(crate) fn grow(&mut self, blocks: u32, value_bytes: usize) {
        let before = self.chain.blocks.len();
        extend(&mut self.chain, blocks, value_bytes);
        let store = self.store();
        for block in &self.chain.blocks[before..] {
            commit_at_tip(&store, block);
        }
        store.settle().unwrap();
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub(crate) fn store(&self) -> Store {
        open(&self.store_dir(), 0, DEEP)
    }

    pub(crate) async fn publish(&self, place: &Place, retention: Option<Retention>) -> Result<Published, Error> {
        publish(&self.store(), self.data_dir(), place, retention).await
    }
}

pub(crate) async fn publish(
    store: &Store,
    data_dir: &Path,
    place: &Place,
    retention: Option<Retention>,
) -> Result<Published, Error> {
    let publisher = Publisher {
        place: place.clone(),
        data_dir: data_dir.into(),
        retention,
    };
    publisher.publish(store, &mut Pace::new(None), |_| ()).await
}

/// How a server of these tests is contacted.
pub(crate) fn access(endpoint: &str, secrets: &Path, secret_key: &str) -> Access {
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", secret_key),
    ] {
        fs::write(secrets.join(name), format!("{value}\n")).unwrap();
    }
    Access {
        endpoint: Some(endpoint.into()),
        region: None,
        allow_http: true,
        credentials_dir: Some(secrets.into()),
    }
}

/// A prefix of a server's bucket.
pub(crate) fn bucket(endpoint: &str) -> Place {
    let secrets = tempdir().unwrap();
    let url = format!("s3://{}/prefix", s3::BUCKET);
    Place::new(&url, &access(endpoint, secrets.path(), s3::SECRET_KEY)).unwrap()
}

/// A prefix in a folder.
pub(crate) fn folder(folder: &Path) -> Place {
    Place::new(&format!("file://{}/prefix", folder.display()), &Access::default()).unwrap()
}

/// A place for a restored index.
pub(crate) fn restorer(place: &Place, name: &Name, data_dir: &Path, check: Check) -> Restorer {
    Restorer {
        place: place.clone(),
        name: name.clone(),
        wanted: Wanted::default(),
        pinned: None,
        check,
        data_dir: data_dir.into(),
        store_dir: data_dir.join("store"),
    }
}

pub(crate) async fn restore(restorer: &Restorer) -> Result<Manifest, Error> {
    restorer.restore(&mut Pace::new(None), |_| ()).await
}

/// The manifest of a snapshot that is there.
pub(crate) async fn manifest(place: &Place, name: &Name) -> Manifest {
    Manifest::parse(&place.manifest(name).await.unwrap().unwrap()).unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}
