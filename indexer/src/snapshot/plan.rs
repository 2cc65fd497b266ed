//! What has to be uploaded, and what may be removed. Decides only.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use crds::Revision;

use super::{manifest::File, name::Name, sha256::Sha256};

/// A file below the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub sha256: Sha256,
    /// Its length.
    pub bytes: u64,
    /// Since it was uploaded.
    pub age: Duration,
}

/// How many snapshots are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many of a revision.
    pub keep: NonZeroU32,
    /// A file that no snapshot names is removed once it is so old: a younger one may belong to a snapshot that is being
    /// published.
    pub grace: Duration,
}

/// The files of a snapshot that are not there, each content once, in the order of the manifest.
///
/// A file counts as there if its length is right, and if it is certain to stay until the manifest is written: because a
/// snapshot of the same index names it (`named`), or because it is younger than `fresh`. Any other may be removed as one
/// that no snapshot names, and is uploaded again.
#[must_use]
pub fn missing<'a>(files: &'a [File], stored: &[Stored], named: &BTreeSet<Sha256>, fresh: Duration) -> Vec<&'a File> {
    let stored: BTreeMap<Sha256, &Stored> = stored.iter().map(|stored| (stored.sha256, stored)).collect();
    let is_there = |file: &File| {
        stored
            .get(&file.sha256)
            .is_some_and(|stored| stored.bytes == file.bytes && (named.contains(&file.sha256) || stored.age < fresh))
    };
    let mut seen = BTreeSet::new();
    let missing = files.iter().filter(|file| !is_there(file));
    missing.filter(|file| seen.insert(file.sha256)).collect()
}

/// The snapshots of a revision that are no longer kept, the oldest first. Those of other revisions stay, and so does the
/// one that was just published, also where there are newer ones: of a replica that is further, or of blocks undone since.
#[must_use]
pub fn outdated(snapshots: &[(Name, Revision)], revision: &Revision, keep: NonZeroU32, just: &Name) -> Vec<Name> {
    let ours = snapshots.iter().filter(|(_, of)| of == revision);
    let mut ours: Vec<Name> = ours.map(|(name, _)| name.clone()).collect();
    ours.sort();
    let kept = usize::try_from(keep.get()).unwrap_or(usize::MAX);
    ours.truncate(ours.len().saturating_sub(kept));
    ours.retain(|name| name != just);
    ours
}

/// The files that no snapshot names, and that are old enough to be removed.
#[must_use]
pub fn unnamed(stored: &[Stored], named: &BTreeSet<Sha256>, grace: Duration) -> Vec<Sha256> {
    let unnamed = stored
        .iter()
        .filter(|stored| !named.contains(&stored.sha256) && stored.age >= grace);
    unnamed.map(|stored| stored.sha256).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn file(name: &str) -> File {
        File {
            name: name.into(),
            bytes: 10,
            sha256: Sha256::of(name.as_bytes()),
        }
    }

    fn stored(name: &str, bytes: u64, hours: u32) -> Stored {
        Stored {
            sha256: Sha256::of(name.as_bytes()),
            bytes,
            age: HOUR * hours,
        }
    }

    #[test]
    fn only_what_is_missing_or_may_go_is_uploaded() {
        let files = [
            "named",
            "named-but-gone",
            "of-an-earlier-try",
            "of-long-ago",
            "cut-off",
            "new",
        ]
        .map(file);
        let there = [
            stored("named", 10, 1_000),
            stored("of-an-earlier-try", 10, 1),
            stored("of-long-ago", 10, 13),
            stored("cut-off", 9, 1),
        ];
        let named = [&files[0], &files[1], &files[4]].map(|file| file.sha256).into();
        let names: Vec<_> = missing(&files, &there, &named, HOUR * 12)
            .into_iter()
            .map(|file| file.name.as_str())
            .collect();
        assert_eq!(names, ["named-but-gone", "of-long-ago", "cut-off", "new"]);
    }

    #[test]
    fn the_same_content_is_uploaded_once() {
        let twin = File {
            name: "twin".into(),
            ..file("one")
        };
        let files = [file("one"), twin];
        assert_eq!(missing(&files, &[], &BTreeSet::new(), HOUR).len(), 1);
    }

    #[test]
    fn the_newest_of_a_revision_are_kept_and_those_of_others_are_not_counted() {
        let [ours, theirs] = ["7c1d0a2b3c", "0123456789"].map(|text| Revision::parse(text).unwrap());
        let snapshots: Vec<_> = [
            ("3000", &ours),
            ("1000", &ours),
            ("1000-0123456789", &theirs),
            ("2000", &theirs),
            ("900", &theirs),
            ("2000-7c1d0a2b3c", &ours),
        ]
        .map(|(name, revision)| (name.parse::<Name>().unwrap(), revision.clone()))
        .into();
        let outdated = |keep, just: &str| -> Vec<String> {
            let names = outdated(
                &snapshots,
                &ours,
                NonZeroU32::new(keep).unwrap(),
                &just.parse().unwrap(),
            );
            names.iter().map(Name::to_string).collect()
        };
        assert_eq!(outdated(1, "3000"), ["1000", "2000-7c1d0a2b3c"]);
        assert_eq!(outdated(2, "3000"), ["1000"]);
        assert_eq!(outdated(3, "3000"), [""; 0]);
        assert_eq!(outdated(1, "1000"), ["2000-7c1d0a2b3c"]);
    }

    #[test]
    fn what_is_named_or_young_stays() {
        let there = [stored("named", 1, 100), stored("young", 1, 23), stored("old", 1, 24)];
        let named = [Sha256::of(b"named")].into();
        assert_eq!(unnamed(&there, &named, HOUR * 24), [Sha256::of(b"old")]);
    }
}
