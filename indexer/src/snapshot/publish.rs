//! Publishes the store of an index, in use or not.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use crds::Revision;

use super::{
    Error,
    claim::Claim,
    error, hashes,
    manifest::Manifest,
    name::Name,
    pace::Pace,
    place::Place,
    plan::{self, Retention},
    sha256::Sha256,
    tidy::{Tidied, tidy},
    upload::upload,
};
use crate::{
    fault::point,
    store::{self, Links, Store, Tip},
};

/// Of files that no snapshot names, unless something else is wanted: longer than an upload takes.
pub const GRACE: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked whether all files are there, and what is missing uploaded, before it is given up.
const ROUNDS: u32 = 4;
/// Manifests that are read to find the one before. There is one for each height at which some index was published.
const LOOKED_AT_MAX: usize = 32;

/// What is published, and where.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// Below which prefix.
    pub place: Place,
    /// The folder of the index: links are made in there while a snapshot is uploaded, and hashes noted.
    pub data_dir: PathBuf,
    /// Which snapshots stay; none: all.
    pub retention: Option<Retention>,
}

/// How far it is, in bytes of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done_bytes: u64,
    /// All of them.
    pub total_bytes: u64,
}

/// A snapshot that is there.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its URL.
    pub url: String,
    /// Of its manifest: what pins it.
    pub manifest_sha256: Sha256,
    /// Its newest block.
    pub tip: Tip,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Files that were uploaded for it, and their bytes.
    pub uploaded: (usize, u64),
    /// It was there before: nothing was uploaded.
    pub was_there: bool,
    /// What was removed; none: nothing was to be.
    pub tidied: Option<Tidied>,
}

/// Links to the files of a store, of which a snapshot is about to be made.
pub struct Prepared {
    links: Links,
    manifest: Manifest,
    claim: Claim,
}

impl Prepared {
    /// Its newest block.
    #[must_use]
    pub fn tip(&self) -> Tip {
        self.manifest.tip
    }
}

/// What is at the height already.
enum Slot {
    /// The same snapshot.
    Same(Name, Bytes),
    /// Nothing; or of this index something else, which is replaced: another block, or other files.
    Open { name: Name, replaces: bool },
}

/// Removes what a publisher that died left in the folder of an index: links keep files on the disk that were merged
/// since. For whoever has the store open.
pub fn remove_leftovers(data_dir: &Path, _claim: &Claim) {
    if let Err(error) = store::remove(&links_folder(data_dir)) {
        tracing::warn!(%error, "cannot remove a copy that was not published to its end");
    }
}

fn links_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("snapshot")
}

impl Publisher {
    /// Publishes the store as it is now. Blocks wait for a second or two while links are made; then they are committed
    /// beside it. A call that failed or was killed is continued by the next one: files that went stay. The manifest is
    /// written last, so that a snapshot is whole or not there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn publish(
        &self,
        store: &Store,
        pace: &mut Pace,
        progress: impl FnMut(Progress),
    ) -> Result<Published, Error> {
        let prepared = self.prepare(store, pace).await?;
        self.send(prepared, pace, progress).await
    }

    /// The first part of [`Self::publish`]: links are made, and new files hashed,
    /// somewhat faster than they are uploaded.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn prepare(&self, store: &Store, pace: &Pace) -> Result<Prepared, Error> {
        let claim = Claim::new(&self.data_dir)?;
        let (links, manifest) = self.describe(store, pace).await?;
        point::reach("snapshot linked");
        Ok(Prepared { links, manifest, claim })
    }

    /// The other part of it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send(
        &self,
        prepared: Prepared,
        pace: &mut Pace,
        mut progress: impl FnMut(Progress),
    ) -> Result<Published, Error> {
        let Prepared {
            links,
            manifest,
            claim: _claim,
        } = prepared;
        let (name, bytes, uploaded, was_there) = match self.slot(&manifest).await? {
            Slot::Same(name, bytes) => (name, bytes, (0, 0), true),
            Slot::Open { name, replaces } => {
                let bytes = Bytes::from(manifest.to_bytes());
                let written = (&name, bytes.clone(), replaces);
                let uploaded = self.write(&links, &manifest, written, pace, &mut progress).await?;
                (name, bytes, uploaded, false)
            }
        };
        drop(links);
        let tidied = match self.retention {
            Some(retention) => Some(tidy(&self.place, (&manifest.revision(), &name), retention).await?),
            None => None,
        };
        Ok(Published {
            url: self.place.snapshot_url(&name),
            manifest_sha256: Sha256::of(&bytes),
            tip: manifest.tip,
            bytes: manifest.bytes(),
            uploaded,
            was_there,
            tidied,
        })
    }

    /// Uploads files, then the manifest. Gives how many files were uploaded, and their bytes.
    async fn write(
        &self,
        links: &Links,
        manifest: &Manifest,
        (name, bytes, replaces): (&Name, Bytes, bool),
        pace: &mut Pace,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(usize, u64), Error> {
        let mut certain = self.named_before(manifest).await?;
        let before = self.complete(links, manifest, &mut certain, pace, progress).await?;
        self.place.settle().await?;
        point::reach("before the manifest");
        if !self.place.write_manifest(name, bytes, replaces).await? {
            let url = self.place.snapshot_url(name);
            return Err(Error::Raced { url });
        }
        point::reach("manifest written");
        // Whoever tidied up meanwhile may not have seen the manifest.
        let after = self.complete(links, manifest, &mut certain, pace, progress).await?;
        self.place.settle().await?;
        Ok((before.0 + after.0, before.1 + after.1))
    }

    /// Makes links to the files of the store and hashes those that are new.
    async fn describe(&self, store: &Store, pace: &Pace) -> Result<(Links, Manifest), Error> {
        let (store, data_dir, mut pace) = (store.clone(), self.data_dir.clone(), pace.of_hashing());
        let described = tokio::task::spawn_blocking(move || {
            let links = store.links(links_folder(&data_dir))?;
            let tip = links.copied.tip.ok_or(Error::Empty)?;
            let files = hashes::of(&links, &data_dir.join("snapshot-hashes.json"), &mut pace);
            let files = files.map_err(|(path, source)| error::folder("read", &path)(source))?;
            let lineage = links.copied.lineage.as_ref().clone();
            Ok((links, Manifest::new(lineage, tip, files)))
        });
        described.await?
    }

    /// Where the manifest belongs.
    async fn slot(&self, manifest: &Manifest) -> Result<Slot, Error> {
        let revision = manifest.revision();
        let names = Name::candidates(manifest.tip.at.height, &revision);
        for name in names.iter().cloned() {
            let Some(bytes) = self.place.manifest(&name).await? else {
                let replaces = false;
                return Ok(Slot::Open { name, replaces });
            };
            // One that cannot be read is another version's, and stays.
            match Manifest::parse(&bytes) {
                Ok(found) if found.tip == manifest.tip && found.lineage == manifest.lineage => {
                    return Ok(Slot::Same(name, bytes));
                }
                Ok(found) if found.revision() == revision => {
                    let replaces = true;
                    return Ok(Slot::Open { name, replaces });
                }
                Ok(_) | Err(_) => {}
            }
        }
        let [name, _] = names;
        let url = self.place.url().into();
        Err(Error::Taken { url, name })
    }

    /// The files of the newest snapshot of the same index: they stay at least until there is a newer one.
    async fn named_before(&self, manifest: &Manifest) -> Result<BTreeSet<Sha256>, Error> {
        let newest = self.newest(&manifest.revision()).await?;
        let files = newest.map(|(_, _, found)| found.files).unwrap_or_default();
        Ok(files.iter().map(|file| file.sha256).collect())
    }

    /// The newest snapshot of a revision, with the SHA-256 of its manifest, if it is among the newest few of all.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn newest(&self, revision: &Revision) -> Result<Option<(Name, Sha256, Manifest)>, Error> {
        for name in self.place.names().await?.into_iter().rev().take(LOOKED_AT_MAX) {
            if let Some(bytes) = self.place.manifest(&name).await?
                && let Ok(found) = Manifest::parse(&bytes)
                && found.revision() == *revision
            {
                return Ok(Some((name, Sha256::of(&bytes), found)));
            }
        }
        Ok(None)
    }

    /// Uploads what is missing until nothing is. `certain` gets what was uploaded. Gives how many files that were, and
    /// their bytes.
    async fn complete(
        &self,
        links: &Links,
        manifest: &Manifest,
        certain: &mut BTreeSet<Sha256>,
        pace: &mut Pace,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(usize, u64), Error> {
        let mut uploaded = (0, 0);
        let fresh = self.retention.map_or(GRACE, |retention| retention.grace) / 2;
        for _ in 0..ROUNDS {
            let stored = self.place.files().await?;
            let missing = plan::missing(&manifest.files, &stored, certain, fresh);
            if missing.is_empty() {
                return Ok(uploaded);
            }
            let total_bytes = missing.iter().map(|file| file.bytes).sum();
            let mut done_bytes = 0;
            for file in missing {
                let told = |of_file| {
                    progress(Progress {
                        done_bytes: done_bytes + of_file,
                        total_bytes,
                    });
                };
                upload(&self.place, &links.path(&file.name), file, pace, told).await?;
                point::reach("file uploaded");
                done_bytes += file.bytes;
                certain.insert(file.sha256);
                uploaded.0 += 1;
                uploaded.1 += file.bytes;
            }
        }
        let url = self.place.url().into();
        Err(Error::Removed { url })
    }
}
