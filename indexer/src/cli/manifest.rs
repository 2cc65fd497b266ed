//! An Indexer as it is applied to a cluster, read from a local file.

use std::{
    io,
    path::{Path, PathBuf},
};

use crds::Indexer;
use serde::Deserialize as _;
use serde_yaml::Value;

/// Manifests are written by hand: a longer one is a mistake.
const BYTES_MAX: u64 = 4 << 20;

/// Why a file is no manifest of one Indexer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("read manifest {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// It is far too long for a manifest.
    #[error("manifest {path} exceeds {BYTES_MAX} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is no YAML.
    #[error("parse manifest as YAML")]
    Yaml(#[source] serde_yaml::Error),
    /// A document of kind Indexer lacks fields, or has some of a wrong type.
    #[error("read the document of kind Indexer")]
    Indexer(#[source] serde_yaml::Error),
    /// A document of kind Indexer has fields that do not exist.
    #[error("an Indexer has no field {}; correct or remove it", .paths.join(", "))]
    UnknownFields {
        /// Where they are.
        paths: Vec<String>,
    },
    /// It has another API version.
    #[error("apiVersion is {found:?}, this version reads shrewd.dev/v1alpha1")]
    ApiVersion {
        /// The version it has.
        found: String,
    },
    /// None of its documents is an Indexer.
    #[error("the manifest has no document of kind Indexer")]
    None,
    /// Several of its documents are Indexers.
    #[error("the manifest has {count} documents of kind Indexer; split it, one process runs one")]
    Several {
        /// How many.
        count: usize,
    },
    /// It has no name.
    #[error("metadata.name is missing")]
    Name,
}

/// Reads the one Indexer of a file; documents of other kinds are skipped.
///
/// # Errors
/// [`Error`].
pub fn read(path: &Path) -> Result<Indexer, Error> {
    let failed = |source| Error::Read {
        path: path.into(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > BYTES_MAX {
        return Err(Error::TooLong { path: path.into() });
    }
    parse(&std::fs::read_to_string(path).map_err(failed)?)
}

/// Reads the one Indexer of a text.
///
/// # Errors
/// All but [`Error::Read`] and [`Error::TooLong`].
pub fn parse(text: &str) -> Result<Indexer, Error> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let document = Value::deserialize(document).map_err(Error::Yaml)?;
        if document.get("kind").and_then(Value::as_str) == Some("Indexer") {
            found.push(document);
        }
    }
    let count = found.len();
    let (Some(document), true) = (found.pop(), count == 1) else {
        return Err(if count == 0 {
            Error::None
        } else {
            Error::Several { count }
        });
    };
    let version = document.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    if version != "shrewd.dev/v1alpha1" {
        return Err(Error::ApiVersion { found: version.into() });
    }
    let paths = crds::unknown_fields(&serde_yaml::from_value(document.clone()).map_err(Error::Indexer)?);
    if !paths.is_empty() {
        return Err(Error::UnknownFields { paths });
    }
    let indexer: Indexer = serde_yaml::from_value(document).map_err(Error::Indexer)?;
    match &indexer.metadata.name {
        Some(name) if !name.is_empty() => Ok(indexer),
        _ => Err(Error::Name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEXER: &str = include_str!("../../tests/data/outpoints.yaml");

    #[test]
    fn the_indexer_is_found_among_other_documents() {
        let text =
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n---\n{INDEXER}---\n# nothing\n");
        assert_eq!(parse(&text).unwrap().metadata.name.as_deref(), Some("outpoints"));
    }

    #[test]
    fn a_file_without_exactly_one_good_indexer_is_refused_with_the_reason() {
        let with = |from: &str, to: &str| {
            assert!(INDEXER.contains(from), "{from}");
            INDEXER.replace(from, to)
        };
        let cases = [
            (String::new(), "no document of kind Indexer"),
            ("kind: Pod".into(), "no document of kind Indexer"),
            (format!("{INDEXER}---\n{INDEXER}"), "2 documents"),
            (with("v1alpha1", "v2"), "apiVersion is \"shrewd.dev/v2\""),
            (with("name: outpoints", "labels: {a: b}"), "metadata.name"),
            (with("startHeight", "startHight"), "no field spec.chain.startHight"),
            (with("sha256:", "sha: 1 #"), "no field spec.module.sha"),
            (with("network:", "network: [] #"), "read the document"),
            ("a: b: c".into(), "as YAML"),
        ];
        for (text, expected) in cases {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
