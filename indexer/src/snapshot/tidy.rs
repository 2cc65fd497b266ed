//! Removes snapshots that are no longer kept, and files that no snapshot names.

use std::collections::BTreeSet;

use crds::Revision;

use super::{
    Error,
    manifest::Manifest,
    name::Name,
    place::Place,
    plan::{self, Retention},
};
use crate::fault::point;

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tidied {
    /// Snapshots, the oldest first.
    pub snapshots: Vec<Name>,
    /// Files.
    pub files: usize,
    /// A snapshot that this version cannot read: which files it names is not known, so none was removed.
    pub unreadable: Option<Name>,
}

/// After a snapshot of a revision was published: removes manifests, then files. Killed in between, the next call finds
/// files that no snapshot names.
pub(super) async fn tidy(
    place: &Place,
    (revision, just): (&Revision, &Name),
    retention: Retention,
) -> Result<Tidied, Error> {
    // Files before manifests: a snapshot that comes meanwhile is seen, or its files are not.
    let stored = place.files().await?;
    let mut unreadable = None;
    let mut snapshots = Vec::new();
    let mut manifests = Vec::new();
    for name in place.names().await? {
        let Some(bytes) = place.manifest(&name).await? else {
            continue;
        };
        match Manifest::parse(&bytes) {
            Ok(manifest) => {
                snapshots.push((name.clone(), manifest.revision()));
                manifests.push((name, manifest));
            }
            Err(_) => unreadable = Some(name),
        }
    }
    let outdated = plan::outdated(&snapshots, revision, retention.keep, just);
    for name in &outdated {
        place.remove_manifest(name).await?;
        point::reach("manifest removed");
    }
    let left = manifests.iter().filter(|(name, _)| !outdated.contains(name));
    let named: BTreeSet<_> = left
        .flat_map(|(_, manifest)| manifest.files.iter().map(|file| file.sha256))
        .collect();
    let unnamed = match unreadable {
        None => plan::unnamed(&stored, &named, retention.grace),
        Some(_) => Vec::new(),
    };
    for sha256 in &unnamed {
        place.remove_file(*sha256).await?;
        point::reach("file removed");
    }
    Ok(Tidied {
        snapshots: outdated,
        files: unnamed.len(),
        unreadable,
    })
}
