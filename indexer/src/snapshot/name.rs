//! Names of snapshots below a prefix.

use std::{fmt, str::FromStr};

use crds::Revision;

use crate::chain::Height;

/// The folder of a snapshot: its height, and the revision where another one's snapshot has that height.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Its newest block.
    pub height: Height,
    /// Whose it is, where the height alone does not say it.
    pub revision: Option<Revision>,
}

/// Text that names no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a snapshot is named HEIGHT or HEIGHT-REVISION")]
pub struct NoName;

impl Name {
    /// The names that a snapshot may get, in the order in which they are tried.
    #[must_use]
    pub fn candidates(height: Height, revision: &Revision) -> [Self; 2] {
        [None, Some(revision.clone())].map(|revision| Self { height, revision })
    }
}

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let (height, revision) = match text.split_once('-') {
            None => (text, None),
            Some((height, revision)) => (height, Some(Revision::parse(revision).ok_or(NoName)?)),
        };
        let name = Self {
            height: Height(height.parse().map_err(|_| NoName)?),
            revision,
        };
        // One name for one folder: neither a sign nor zeros before the number.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(NoName)
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            None => self.height.fmt(f),
            Some(revision) => write!(f, "{}-{revision}", self.height),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in ["0", "901000", "901000-7c1d0a2b3c", "4294967295"] {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "files",
            "-1",
            "+1",
            "01",
            "4294967296",
            "1-",
            "1-7C1D0A2B3C",
            "1-7c1d",
            "latest",
        ] {
            assert_eq!(text.parse::<Name>(), Err(NoName), "{text}");
        }
    }

    #[test]
    fn the_newest_comes_last() {
        let mut names: Vec<Name> = ["1000", "999-7c1d0a2b3c", "999"]
            .map(|text| text.parse().unwrap())
            .into();
        names.sort();
        let sorted: Vec<String> = names.iter().map(Name::to_string).collect();
        assert_eq!(sorted, ["999", "999-7c1d0a2b3c", "1000"]);
    }
}
