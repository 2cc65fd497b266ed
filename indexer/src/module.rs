//! Loads the module that the configuration names, and checks it against the declared digest.
//!
//! What has to be fetched is kept on the volume, so that a pod that runs, or is started again, depends on no server.
//! Bytes are checked against the digest each time they are loaded, wherever they come from.

mod bound;
mod cache;
mod credentials;
mod fetch;
mod oci;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crds::pod::{self, Config, module_reasons};
use sha2::{Digest as _, Sha256};

pub use bound::MODULE_BYTES_MAX;
use cache::Cache;
use fetch::Fetcher;
pub use fetch::Limits;
use oci::Image;

/// The module of a configuration, to be loaded as often as it takes.
pub struct Source {
    origin: Origin,
    sha256: String,
    cache: Cache,
}

enum Origin {
    Path(PathBuf),
    Http {
        url: reqwest::Url,
        fetcher: Fetcher,
    },
    Oci {
        image: Image,
        pull_secret: Option<PathBuf>,
        fetcher: Fetcher,
    },
}

/// Why there are no bytes to run. URLs in here carry neither credentials nor queries.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Error {
    /// The file is not there.
    #[error("module file {} cannot be read", .path.display())]
    File { path: PathBuf, source: io::Error },
    /// The file is far too long.
    #[error("module file {} has {bytes} bytes, more than the {MODULE_BYTES_MAX} a module may have", .path.display())]
    LongFile { path: PathBuf, bytes: u64 },
    /// The bytes are others.
    #[error("module has sha256 {found}, but {wanted} is declared: give the bytes or the digest that belong together")]
    Digest { found: String, wanted: String },
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// It cannot be pulled.
    #[error(transparent)]
    Pull(#[from] oci::Error),
    /// Of the configuration.
    #[error("module.url is no http:// or https:// URL without credentials")]
    Url,
    /// Of the configuration.
    #[error("module.image must read REGISTRY/REPOSITORY@sha256:DIGEST")]
    Image,
}

impl Error {
    /// The word for it out of [`module_reasons`].
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::File { .. } | Self::LongFile { .. } => module_reasons::NOT_FOUND,
            Self::Digest { .. } | Self::Pull(oci::Error::LayerDigest { .. }) => module_reasons::DIGEST_MISMATCH,
            Self::Fetch(_) | Self::Pull(_) | Self::Url | Self::Image => module_reasons::FETCH_FAILED,
        }
    }
}

impl Source {
    /// Nothing is read or fetched yet.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Image`], and [`Error::Fetch`] if there can be no HTTP client.
    pub fn new(config: &Config, limits: &Limits) -> Result<Self, Error> {
        let origin = match &config.module {
            pod::Module::Path { path } => Origin::Path(path.clone()),
            pod::Module::Http { url } => Origin::Http {
                url: fetch::parse(url).ok_or(Error::Url)?,
                fetcher: Fetcher::new(limits)?,
            },
            pod::Module::Oci {
                image,
                pull_secret,
                plain_http,
            } => Origin::Oci {
                image: Image::parse(image, *plain_http).ok_or(Error::Image)?,
                pull_secret: pull_secret.clone(),
                fetcher: Fetcher::new(limits)?,
            },
        };
        Ok(Self {
            origin,
            sha256: config.identity.module_sha256.clone(),
            cache: Cache::new(&config.data_dir, &config.identity.module_sha256),
        })
    }

    /// Whether it is on another machine, which should not be queried every other second.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        !matches!(self.origin, Origin::Path(_))
    }

    /// The bytes.
    ///
    /// # Errors
    /// [`Error`]; each may go away while the caller waits.
    pub async fn bytes(&self) -> Result<Vec<u8>, Error> {
        if let Origin::Path(path) = &self.origin {
            return self.file_bytes(path);
        }
        // What was kept and is broken is fetched again, and replaced.
        if let Some(bytes) = self.cache.read()
            && let Ok(bytes) = self.checked(bytes)
        {
            return Ok(bytes);
        }
        let bytes = self.checked(self.fetched().await?)?;
        self.keep(&bytes);
        Ok(bytes)
    }

    /// A file is looked at first, so that a mended one is taken; but what a `ConfigMap` had is kept too: a release
    /// takes it away while pods that were made from it still serve, and those must be able to start again.
    fn file_bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let kept = || self.cache.read().and_then(|bytes| self.checked(bytes).ok());
        match read(path).and_then(|bytes| self.checked(bytes)) {
            Ok(bytes) => {
                if kept().is_none() {
                    self.keep(&bytes);
                }
                Ok(bytes)
            }
            Err(error) => {
                let Some(bytes) = kept() else { return Err(error) };
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(
                    error,
                    "the module's file cannot be used; using the copy kept on the volume"
                );
                Ok(bytes)
            }
        }
    }

    fn keep(&self, bytes: &[u8]) {
        if let Err(error) = self.cache.write(bytes) {
            tracing::warn!(%error, "the module cannot be kept on the volume: the next start needs it again");
        }
    }

    async fn fetched(&self) -> Result<Vec<u8>, Error> {
        match &self.origin {
            Origin::Path(path) => read(path),
            Origin::Http { url, fetcher } => {
                tracing::info!(url = fetch::shown(url), "fetching the module");
                Ok(fetcher.file(url).await?)
            }
            Origin::Oci {
                image,
                pull_secret,
                fetcher,
            } => {
                tracing::info!(image = image.name(), "pulling the module");
                Ok(oci::pull(fetcher, image, pull_secret.as_deref(), &self.sha256).await?)
            }
        }
    }

    fn checked(&self, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        let found = hex::encode(Sha256::digest(&bytes));
        if found == self.sha256 {
            return Ok(bytes);
        }
        Err(Error::Digest {
            found,
            wanted: self.sha256.clone(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::File {
        path: path.into(),
        source,
    };
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MODULE_BYTES_MAX as u64 {
        return Err(Error::LongFile {
            path: path.into(),
            bytes,
        });
    }
    fs::read(path).map_err(unreadable)
}
