//! Why a snapshot cannot be published or used.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    manifest::{Malformed, Refusal},
    name::Name,
    sha256::Sha256,
};
use crate::store::{self, Tip, verify};

/// Why a snapshot cannot be published or used. URLs in here have no credentials, and words of a server are cut to what
/// says why.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Error {
    /// It names no storage that can be used.
    #[error("{url} cannot be used: {what}")]
    Url { url: String, what: String },
    /// Credentials that cannot be read.
    #[error("read credentials from {}", path.display())]
    Credentials { path: PathBuf, source: io::Error },
    /// The storage does not let us.
    #[error("{url} does not accept these credentials, or they may not {action}: {words}")]
    Denied {
        url: String,
        action: &'static str,
        words: String,
    },
    /// No answer, or one that says "later" again and again.
    #[error("cannot {action} {url}: {words}")]
    Unavailable {
        url: String,
        action: &'static str,
        words: String,
    },
    /// The storage cannot do it at all.
    #[error("cannot {action} {url}: {words}")]
    Unsupported {
        url: String,
        action: &'static str,
        words: String,
    },
    /// There is no such object.
    #[error("{url} is not there")]
    Missing { url: String },
    /// What is there is no manifest.
    #[error("{url} is no manifest of a snapshot that can be used")]
    Malformed { url: String, source: Malformed },
    /// It is not the one that was pinned.
    #[error("{url} has the SHA-256 {found}, and {wanted} is wanted: it is another snapshot, or was changed")]
    Pinned { url: String, found: Sha256, wanted: Sha256 },
    /// It is of another index.
    #[error("the snapshot {url} is not used: {refusal}")]
    Refused { url: String, refusal: Refusal },
    /// A file is not the one that the manifest names.
    #[error("file {name} of the snapshot, {url}, is not what its manifest says: {what}")]
    File { name: String, url: String, what: String },
    /// Its files make another store than the manifest says.
    #[error(
        "the files of {url} are not what its manifest says: they have {}, it says {}",
        in_words(found.as_deref()), in_words(Some(said))
    )]
    NotAsSaid {
        url: String,
        found: Option<Box<Tip>>,
        said: Box<Tip>,
    },
    /// Its files are of another lineage than the manifest says.
    #[error("the files of {url} are not what its manifest says: other modules built them")]
    OtherLineage { url: String },
    /// Its rows are not what its digests are over.
    #[error("the snapshot {url} is wrong")]
    Wrong { url: String, source: verify::Error },
    /// Its files make no store that can be opened.
    #[error("the files of {url} make no store")]
    NoStore { url: String, source: store::Error },
    /// The store here cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There is nothing to publish.
    #[error("nothing is indexed yet")]
    Empty,
    /// Another process works there.
    #[error(
        "{} is in use by another process, which restores or publishes a snapshot there, or begins to index: wait until it is \
         done, or stop it", dir.display()
    )]
    Busy { dir: PathBuf },
    /// What was received would be thrown away.
    #[error(
        "an unfinished restore is in {}: repeat `snapshot restore`, which continues it; or delete that folder to index without \
         the snapshot", folder.display()
    )]
    Unfinished { folder: PathBuf },
    /// Two other indexes have the height.
    #[error(
        "{url} has snapshots of two other indexes at this height, {} among them: give another prefix",
        name
    )]
    Taken { url: String, name: Name },
    /// Somebody was faster.
    #[error("another process published {url} at the same moment")]
    Raced { url: String },
    /// Files that were uploaded are gone again and again.
    #[error(
        "files that were uploaded to {url} are removed by another process: give --grace the time that uploading takes"
    )]
    Removed { url: String },
    /// A file here cannot be read or written.
    #[error("{action} {}: make room if the disk is full", path.display())]
    Folder {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// It would not fit.
    #[error("the snapshot needs {needed} bytes, and the disk of {} has {free} free: make room", dir.display())]
    NoRoom { dir: PathBuf, needed: u64, free: u64 },
    /// It panicked, or the process ends.
    #[error("a thread that works on the snapshot ended")]
    Thread(#[from] tokio::task::JoinError),
}

impl Error {
    /// Whether the same call may succeed later, without a change here or there. Nothing of what failed is in use.
    #[must_use]
    pub fn is_for_now(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Empty
            | Self::Busy { .. }
            | Self::Raced { .. }
            | Self::Removed { .. }
            | Self::Folder { .. }
            | Self::NoRoom { .. } => true,
            Self::Url { .. }
            | Self::Credentials { .. }
            | Self::Denied { .. }
            | Self::Unsupported { .. }
            | Self::Missing { .. }
            | Self::Malformed { .. }
            | Self::Pinned { .. }
            | Self::Refused { .. }
            | Self::File { .. }
            | Self::NotAsSaid { .. }
            | Self::OtherLineage { .. }
            | Self::Wrong { .. }
            | Self::NoStore { .. }
            | Self::Store(_)
            | Self::Unfinished { .. }
            | Self::Taken { .. }
            | Self::Thread(_) => false,
        }
    }
}

fn in_words(tip: Option<&Tip>) -> String {
    match tip {
        Some(tip) => format!("block {} {} with digest {}", tip.at.height, tip.at.hash, tip.digest),
        None => "no blocks".into(),
    }
}

/// A file or folder here with which something did not succeed.
pub(super) fn folder(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Folder { action, path, source }
}
