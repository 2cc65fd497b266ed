//! Checks a snapshot where it is.

use std::{collections::BTreeSet, path::Path};

use super::{
    Error,
    claim::Claim,
    fetch,
    manifest::{Manifest, Wanted},
    name::Name,
    pace::Pace,
    place::Place,
    publish::Progress,
    restore::{Check, Receiving},
    sha256::Sha256,
};
use crate::store;

/// Reads every file of a snapshot and compares it with the manifest. Nothing is written.
///
/// # Errors
/// [`Error::File`] names the first file that is another one; else [`Error`].
pub async fn files(
    place: &Place,
    name: &Name,
    wanted: &Wanted,
    pinned: Option<Sha256>,
    pace: &mut Pace,
    mut progress: impl FnMut(Progress),
) -> Result<Manifest, Error> {
    let manifest = fetch::manifest(place, name, wanted, pinned).await?;
    let mut seen = BTreeSet::new();
    let files: Vec<_> = manifest.files.iter().filter(|file| seen.insert(file.sha256)).collect();
    let total_bytes = files.iter().map(|file| file.bytes).sum();
    let mut done_bytes = 0;
    for file in files {
        let told = |of_file| {
            progress(Progress {
                done_bytes: done_bytes + of_file,
                total_bytes,
            });
        };
        fetch::file(place, file, pace, |_, _| Ok(()), told).await?;
        done_bytes += file.bytes;
    }
    Ok(manifest)
}

/// Downloads a snapshot into a folder of its own in `scratch`, computes every digest once more from its rows, and removes
/// it.
///
/// # Errors
/// [`Error`]; [`Error::Wrong`] names the first block that does not agree.
pub async fn digests(
    place: &Place,
    name: &Name,
    wanted: &Wanted,
    pinned: Option<Sha256>,
    scratch: &Path,
    pace: &mut Pace,
    progress: impl FnMut(Progress),
) -> Result<Manifest, Error> {
    let _claim = Claim::new(scratch)?;
    let manifest = fetch::manifest(place, name, wanted, pinned).await?;
    let folder = scratch.join("verify");
    let receiving = Receiving {
        place,
        name,
        folder: &folder,
    };
    receiving.whole(&manifest, Check::Digests, pace, progress).await?;
    tokio::task::spawn_blocking(move || store::remove(&folder)).await??;
    Ok(manifest)
}
