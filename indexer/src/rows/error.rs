//! Why rows cannot be read or written.

use std::{
    io,
    path::{Path, PathBuf},
};

/// What is wrong with bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged(pub(super) &'static str);

/// Why rows cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file is not what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Whoever asked wants it no more.
    #[error("stopped")]
    Stopped,
}

/// For a call that failed.
pub(super) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::File {
        action,
        path: path.into(),
        source,
    }
}

impl Error {
    /// Whether room on the disk is all that is missing.
    #[must_use]
    pub fn is_for_want_of_room(&self) -> bool {
        matches!(self, Self::File { source, .. } if is_for_want_of_room(source))
    }
}

/// Whether the system had no room for what was written.
#[must_use]
pub fn is_for_want_of_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
