//! Makes a store of a snapshot.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crds::SnapshotVerify;

use super::{
    Error,
    claim::Claim,
    error, fetch, hashes,
    manifest::{Manifest, Wanted},
    name::Name,
    pace::Pace,
    place::Place,
    publish::Progress,
    sha256::Sha256,
};
use crate::{
    fault::point,
    flushing::Flushing,
    store::{self, Store, Vacancy},
};

/// How far a snapshot is checked before it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Every file is the one that the manifest names.
    #[default]
    Files,
    /// Also every digest is computed once more from the rows: takes a scan of them.
    Digests,
}

impl From<SnapshotVerify> for Check {
    fn from(verify: SnapshotVerify) -> Self {
        match verify {
            SnapshotVerify::Files => Self::Files,
            SnapshotVerify::Digests => Self::Digests,
        }
    }
}

/// What is restored, and where.
#[derive(Clone, Debug)]
pub struct Restorer {
    /// The prefix.
    pub place: Place,
    /// Which snapshot below it.
    pub name: Name,
    /// What it must be.
    pub wanted: Wanted,
    /// Of the manifest, where it is known from elsewhere.
    pub pinned: Option<Sha256>,
    /// How far it is checked.
    pub check: Check,
    /// The folder of the index. Files are received beside the store in there.
    pub data_dir: PathBuf,
    /// The folder of its store: empty, not there, or a store without blocks.
    pub store_dir: PathBuf,
}

/// Refuses a folder in which a restore did not end and the store it was for is still to come: another one would be begun
/// unasked.
///
/// # Errors
/// [`Error::Unfinished`]; [`Error::Store`] if it cannot be known.
pub fn must_have_ended(data_dir: &Path, store_dir: &Path, _claim: &Claim) -> Result<(), Error> {
    let folder = folder(data_dir);
    if !folder.exists() {
        return Ok(());
    }
    match Vacancy::find(store_dir) {
        Ok(_) => Err(Error::Unfinished { folder }),
        Err(store::Error::Occupied { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes what a restore that did not end left in the folder of an index. For whoever has a store open there: nothing
/// is restored into it any more.
pub fn remove_leftovers(data_dir: &Path, _claim: &Claim) {
    if let Err(error) = store::remove(&folder(data_dir)) {
        tracing::warn!(%error, "cannot remove a snapshot that was not restored to its end");
    }
}

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("restore")
}

impl Restorer {
    /// Downloads the snapshot and makes it the store: in one step at the end, so that there is no half of it at any
    /// time. A call that failed or was killed is continued by the next one: files that are whole stay.
    ///
    /// # Errors
    /// [`Error`]. There is no other store than before then.
    pub async fn restore(&self, pace: &mut Pace, progress: impl FnMut(Progress)) -> Result<Manifest, Error> {
        let claim = Claim::new(&self.data_dir)?;
        self.restore_under(&claim, pace, progress).await
    }

    /// As [`Self::restore`], for whoever has the claim of the folder already.
    ///
    /// # Errors
    /// As there.
    pub async fn restore_under(
        &self,
        _claim: &Claim,
        pace: &mut Pace,
        progress: impl FnMut(Progress),
    ) -> Result<Manifest, Error> {
        let store_dir = self.store_dir.clone();
        // Before hours of downloading.
        tokio::task::spawn_blocking(move || Vacancy::find(&store_dir).map(drop)).await??;
        let manifest = fetch::manifest(&self.place, &self.name, &self.wanted, self.pinned).await?;
        let folder = folder(&self.data_dir);
        let received = Receiving {
            place: &self.place,
            name: &self.name,
            folder: &folder,
        };
        received.whole(&manifest, self.check, pace, progress).await?;
        point::reach("snapshot received");
        let store_dir = self.store_dir.clone();
        // Found again: what is there now counts, however it came there meanwhile.
        tokio::task::spawn_blocking(move || Vacancy::find(&store_dir)?.fill(&folder)).await??;
        Ok(manifest)
    }
}

/// A snapshot that is received into a folder of its own.
pub(super) struct Receiving<'a> {
    pub(super) place: &'a Place,
    pub(super) name: &'a Name,
    pub(super) folder: &'a Path,
}

impl Receiving<'_> {
    /// Downloads what is missing of a snapshot and checks that it is the store that the manifest says. What is not goes.
    pub(super) async fn whole(
        &self,
        manifest: &Manifest,
        check: Check,
        pace: &mut Pace,
        progress: impl FnMut(Progress),
    ) -> Result<(), Error> {
        self.files(manifest, pace, progress).await?;
        let (folder, url, manifest) = (
            self.folder.to_path_buf(),
            self.place.snapshot_url(self.name),
            manifest.clone(),
        );
        let checked = tokio::task::spawn_blocking(move || {
            let checked = check_store(&folder, &url, &manifest, check);
            if checked.is_err() {
                // Its files are what the manifest names: to receive them again would change nothing.
                store::remove(&folder)?;
            }
            checked
        });
        checked.await?
    }

    async fn files(
        &self,
        manifest: &Manifest,
        pace: &mut Pace,
        mut progress: impl FnMut(Progress),
    ) -> Result<(), Error> {
        let database = store::prepare(self.folder)?;
        let (looked_in, named) = (database.clone(), manifest.clone());
        let whole = tokio::task::spawn_blocking(move || keep_whole(&looked_in, &named)).await??;
        let missing: Vec<_> = manifest
            .files
            .iter()
            .filter(|file| !whole.contains(&file.name))
            .collect();
        let total_bytes = missing.iter().map(|file| file.bytes).sum();
        check_room(self.folder, total_bytes)?;
        let part_path = self.folder.join("part");
        let mut done_bytes = 0;
        for file in missing {
            let written = error::folder("write", &part_path);
            let mut part = Flushing::new(File::create(&part_path).map_err(written)?);
            let sink = |at: u64, piece: &[u8]| {
                let written = part.file().write_all_at(piece, at);
                let written = written.and_then(|()| part.has(at + piece.len() as u64));
                written.map_err(error::folder("write", &part_path))
            };
            let told = |of_file| {
                progress(Progress {
                    done_bytes: done_bytes + of_file,
                    total_bytes,
                });
            };
            fetch::file(self.place, file, pace, sink, told).await?;
            let path = database.join(&file.name);
            let kept = part.end().await.and_then(|()| fs::rename(&part_path, &path));
            kept.map_err(error::folder("write", &path))?;
            point::reach("file received");
            done_bytes += file.bytes;
        }
        remove_file(&part_path)?;
        let synced = File::open(&database).and_then(|folder| folder.sync_all());
        synced.map_err(error::folder("sync", &database))
    }
}

/// Makes the folder one with nothing but whole files of the snapshot, and names those. Reads them all.
fn keep_whole(database: &Path, manifest: &Manifest) -> Result<BTreeSet<String>, Error> {
    fs::create_dir_all(database).map_err(error::folder("create", database))?;
    let mut whole = BTreeSet::new();
    for entry in fs::read_dir(database).map_err(error::folder("read", database))? {
        let entry = entry.map_err(error::folder("read", database))?;
        let (name, path) = (entry.file_name(), entry.path());
        let file = manifest.files.iter().find(|file| *file.name == *name);
        let is_whole = match file {
            None => false,
            Some(file) => {
                let hash = || File::open(&path).and_then(|file| hashes::hash(file, &mut Pace::new(None)));
                let bytes = entry.metadata().map_err(error::folder("read", &path))?.len();
                bytes == file.bytes && hash().map_err(error::folder("read", &path))? == file.sha256
            }
        };
        match file {
            Some(file) if is_whole => {
                whole.insert(file.name.clone());
            }
            _ if path.is_dir() => store::remove(&path)?,
            _ => remove_file(&path)?,
        }
    }
    Ok(whole)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error::folder("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Says so before hours of downloading.
fn check_room(folder: &Path, needed: u64) -> Result<(), Error> {
    let system = rustix::fs::statvfs(folder).map_err(|error| error::folder("look at", folder)(error.into()))?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if free < needed {
        return Err(Error::NoRoom {
            dir: folder.into(),
            needed,
            free,
        });
    }
    Ok(())
}

/// Opens what was received and compares it with the manifest.
fn check_store(folder: &Path, url: &str, manifest: &Manifest, check: Check) -> Result<(), Error> {
    let no_store = |source| Error::NoStore {
        url: url.into(),
        source,
    };
    let store = Store::open_existing(folder).map_err(no_store)?;
    if store.tip() != Some(manifest.tip) {
        return Err(Error::NotAsSaid {
            url: url.into(),
            found: store.tip().map(Box::new),
            said: Box::new(manifest.tip),
        });
    }
    if *store.lineage() != manifest.lineage {
        return Err(Error::OtherLineage { url: url.into() });
    }
    if check == Check::Digests {
        let verified = store.verify(|blocks| tracing::info!(from = blocks.start(), to = blocks.end(), "digests agree"));
        verified.map_err(|source| Error::Wrong {
            url: url.into(),
            source,
        })?;
    }
    store.flush().map_err(no_store)
}
