//! Which folder an index is in: the same for a run and for the commands that work on its data afterwards.

use std::path::{Path, PathBuf};

use clap::Args;
use crds::{Identity, pod::Config};

use super::error::Error;
use crate::cli::manifest;

/// Where local runs put their data by default.
const LOCAL_DATA: &str = "shrewd-data";

/// An index by its folder, named as for `run`.
#[derive(Debug, Default, Args)]
pub struct FolderFlags {
    /// Configuration as the operator writes it for a pod.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["manifest", "db_path", "label"])]
    pub config: Option<PathBuf>,
    /// The manifest it was run with.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Folder of the database, as for `run`.
    #[arg(long, value_name = "DIR")]
    pub db_path: Option<PathBuf>,
    /// Name of the index, as for `run`.
    #[arg(long)]
    pub label: Option<String>,
}

impl FolderFlags {
    /// The folder of the store.
    ///
    /// # Errors
    /// [`Error::NoFolder`], or a file that cannot be read.
    pub fn store_dir(self) -> Result<PathBuf, Error> {
        Ok(self.index()?.store_dir())
    }

    /// The index.
    ///
    /// # Errors
    /// As [`Self::store_dir`].
    pub fn index(self) -> Result<IndexFolder, Error> {
        let Self {
            config,
            manifest,
            db_path,
            label,
        } = self;
        if let Some(path) = config {
            let text = std::fs::read_to_string(&path).map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?;
            let config: Config = serde_yaml::from_str(&text).map_err(|source| Error::Config { path, source })?;
            return Ok(IndexFolder {
                data_dir: config.data_dir,
                identity: Some(config.identity),
            });
        }
        let name = match manifest {
            Some(path) => manifest::read(&path)?.metadata.name,
            None => None,
        };
        let data_dir = data_dir(db_path, label.as_deref(), name.as_deref()).ok_or(Error::NoFolder)?;
        Ok(IndexFolder {
            data_dir,
            identity: None,
        })
    }
}

/// The folder of an index, and what is said of it.
#[derive(Clone, Debug)]
pub struct IndexFolder {
    /// Its folder.
    pub data_dir: PathBuf,
    /// What the index is to be; none: nothing says it.
    pub identity: Option<Identity>,
}

impl IndexFolder {
    /// The folder of its store.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        store_dir(&self.data_dir)
    }
}

/// The folder of the store in the folder of an index.
#[must_use]
pub fn store_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// The folder of an index; none if nothing names it.
pub(super) fn data_dir(db_path: Option<PathBuf>, label: Option<&str>, name: Option<&str>) -> Option<PathBuf> {
    match (db_path, label.or(name)) {
        (Some(path), _) => Some(label.map_or(path.clone(), |label| path.join(label))),
        (None, Some(name)) => Some(Path::new(LOCAL_DATA).join(name)),
        (None, None) => None,
    }
}
