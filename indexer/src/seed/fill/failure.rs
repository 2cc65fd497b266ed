//! Why a copy did not become a store, and what may come of asking again.

use reqwest::StatusCode;

use crate::{
    rows::is_for_want_of_room,
    seed::{Refusal, fetch},
    store::{self, verify},
};

/// What a pod that gave no copy may give later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Nothing: it has no blocks, another index, or does not exist.
    Nothing,
    /// Perhaps nothing: it does not answer.
    Silent,
    /// A copy: it has one, or is not open yet.
    Later,
}

/// Why a copy did not become a store.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    #[error("the copy breaks off")]
    BrokeOff(#[source] fetch::Error),
    #[error("the copy of {url} is not taken: {refusal}")]
    Refused { url: String, refusal: Refusal },
    #[error("the copy of {url} is at another block than was offered")]
    NotAsOffered { url: String },
    #[error("the copy of {url} cannot be used")]
    Store { url: String, source: store::Error },
    #[error("the copy of {url} is wrong")]
    Wrong { url: String, source: verify::Error },
    #[error(
        "the copy of {url} takes {} MiB more than are here, and {} MiB of the volume are free: make room",
        needed >> 20, free >> 20
    )]
    NoRoom { url: String, needed: u64, free: u64 },
    #[error("the thread that checks the copy ended")]
    Thread(#[from] tokio::task::JoinError),
}

impl Error {
    /// Whether asking again may bring another answer soon.
    pub(super) fn is_for_now(&self) -> bool {
        match self {
            // Where it is room that is missing, the next try finds out how much.
            Self::BrokeOff(fetch::Error::Write { source, .. }) => is_for_want_of_room(source),
            Self::BrokeOff(error) | Self::Fetch(error) => matches!(
                error,
                fetch::Error::NoName { .. } | fetch::Error::Unreachable { .. } | fetch::Error::Status { .. }
            ),
            Self::Refused { refusal, .. } => refusal.is_for_now(),
            Self::NotAsOffered { .. }
            | Self::Store { .. }
            | Self::Wrong { .. }
            | Self::NoRoom { .. }
            | Self::Thread(_) => false,
        }
    }

    /// What may come of it where a copy is optional. `is_named`: this pod's own name is known, so that a name that is not
    /// known is none.
    pub(super) fn outlook(&self, is_named: bool) -> Outlook {
        match self {
            Self::Fetch(fetch::Error::NoName { .. }) if is_named => Outlook::Nothing,
            Self::Fetch(fetch::Error::Status { status, .. }) if *status == StatusCode::NOT_FOUND => Outlook::Nothing,
            Self::Fetch(fetch::Error::NoName { .. } | fetch::Error::Unreachable { .. }) => Outlook::Silent,
            Self::Refused { .. }
            | Self::NotAsOffered { .. }
            | Self::Wrong { .. }
            | Self::Fetch(fetch::Error::Malformed { .. })
            | Self::BrokeOff(fetch::Error::Malformed { .. }) => Outlook::Nothing,
            // Of this pod's own disk, or of the copy.
            Self::Store { source, .. } => match source {
                store::Error::Folder { .. } => Outlook::Later,
                _ => Outlook::Nothing,
            },
            Self::Fetch(_) | Self::BrokeOff(_) | Self::NoRoom { .. } | Self::Thread(_) => Outlook::Later,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_a_pod_without_a_copy_may_give_later() {
        let url = || "http://one-0:9090".to_owned();
        let status = |status| fetch::Error::Status {
            url: url(),
            status,
            words: String::new(),
        };
        let no_name = || fetch::Error::NoName {
            url: url(),
            source: io::ErrorKind::NotFound.into(),
        };
        let malformed = || fetch::Error::Malformed {
            url: url(),
            what: String::new(),
        };
        // Of a pod that knows its own name, and of one that does not.
        let cases = [
            (Error::Fetch(status(404)), [Outlook::Nothing; 2]),
            (Error::Fetch(status(503)), [Outlook::Later; 2]),
            (Error::Fetch(no_name()), [Outlook::Nothing, Outlook::Silent]),
            (Error::Fetch(malformed()), [Outlook::Nothing; 2]),
            (Error::BrokeOff(malformed()), [Outlook::Nothing; 2]),
            (Error::BrokeOff(status(500)), [Outlook::Later; 2]),
            (Error::NotAsOffered { url: url() }, [Outlook::Nothing; 2]),
        ];
        for (error, expected) in cases {
            assert_eq!(
                [true, false].map(|is_named| error.outlook(is_named)),
                expected,
                "{error:?}"
            );
        }
    }
}
