//! A prefix of an object storage, and the objects below it.

mod access;
mod words;

use std::{fmt, fs, future::Future, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{
    Error as Failure, GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    path::Path,
};

pub use access::Access;
use access::{Kind, Opened};

use super::{
    Error,
    manifest::{MANIFEST_BYTES_MAX, Malformed},
    name::Name,
    plan::Stored,
    sha256::Sha256,
};

/// A request with all of its retries, of a piece of some megabytes at most. The storage's client retries what the
/// server refuses for now, see [`access`].
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// Without a byte of a file that is downloaded.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The folder of files below a prefix.
const FILES: &str = "files";
/// The manifest in the folder of a snapshot.
const MANIFEST: &str = "manifest.json";
/// More than any index has, and what a hundred million of them would take.
const LISTED_MAX: usize = 1_000_000;

/// A prefix of an object storage. Clones are the same one. Its debug form shows no credentials.
#[derive(Clone)]
pub struct Place {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The prefix as it may be shown, without a slash at its end.
    url: String,
    kind: Kind,
}

/// A file that comes piece by piece.
pub(super) type Pieces = BoxStream<'static, object_store::Result<Bytes>>;

impl Place {
    /// The prefix of a URL: `s3://BUCKET/PREFIX`, `file:///FOLDER`, and for reading `http(s)://HOST/PREFIX`. Nothing is
    /// asked yet.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Credentials`].
    pub fn new(url: &str, access: &Access) -> Result<Self, Error> {
        let Opened {
            store,
            prefix,
            url,
            kind,
        } = access::open(url, access)?;
        Ok(Self {
            store,
            prefix,
            url,
            kind,
        })
    }

    /// The prefix and name of a snapshot: of `s3://BUCKET/PREFIX/HEIGHT`, for example.
    ///
    /// # Errors
    /// As [`Self::new`]; [`Error::Url`] also if it ends with no name.
    pub fn of_snapshot(url: &str, access: &Access) -> Result<(Self, Name), Error> {
        let text = url.trim_end_matches('/');
        let text = text.strip_suffix(MANIFEST).unwrap_or(text).trim_end_matches('/');
        let named = text
            .rsplit_once('/')
            .and_then(|(prefix, name)| Some((prefix, name.parse().ok()?)));
        let Some((prefix, name)) = named else {
            // Through there it is checked what of it may be shown.
            let place = Self::new(url, access)?;
            return Err(Error::Url {
                url: place.url,
                what: "it must end with the name of a snapshot, as `snapshot list` shows it: PREFIX/HEIGHT".into(),
            });
        };
        Ok((Self::new(prefix, access)?, name))
    }

    /// The prefix, as it may be shown.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of a snapshot.
    #[must_use]
    pub fn snapshot_url(&self, name: &Name) -> String {
        format!("{}/{name}", self.url)
    }

    /// The URL of a file.
    #[must_use]
    pub fn file_url(&self, sha256: Sha256) -> String {
        format!("{}/{FILES}/{sha256}", self.url)
    }

    fn manifest_url(&self, name: &Name) -> String {
        format!("{}/{name}/{MANIFEST}", self.url)
    }

    fn manifest_path(&self, name: &Name) -> Path {
        self.prefix.clone().join(name.to_string()).join(MANIFEST)
    }

    fn file_path(&self, sha256: Sha256) -> Path {
        self.prefix.clone().join(FILES).join(sha256.to_string())
    }

    /// The bytes of a snapshot's manifest; none if there is no such snapshot.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is too long; what the storage says.
    pub async fn manifest(&self, name: &Name) -> Result<Option<Bytes>, Error> {
        let url = self.manifest_url(name);
        let path = self.manifest_path(name);
        let read = async {
            let found = match self.store.get(&path).await {
                Err(Failure::NotFound { .. }) => return Ok(None),
                found => found?,
            };
            let mut pieces = found.into_stream();
            let mut bytes = BytesMut::new();
            while let Some(piece) = pieces.try_next().await? {
                bytes.extend_from_slice(&piece);
                if bytes.len() > MANIFEST_BYTES_MAX {
                    break;
                }
            }
            Ok(Some(bytes.freeze()))
        };
        let bytes = self.within("read", &url, read).await?;
        if bytes.as_ref().is_some_and(|bytes| bytes.len() > MANIFEST_BYTES_MAX) {
            let source = Malformed::TooLong;
            return Err(Error::Malformed { url, source });
        }
        Ok(bytes)
    }

    /// Writes a manifest; `replace` one that is there. False: there is one, and it stays.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn write_manifest(&self, name: &Name, bytes: Bytes, replace: bool) -> Result<bool, Error> {
        let mode = if replace { PutMode::Overwrite } else { PutMode::Create };
        let path = self.manifest_path(name);
        let write = async {
            match self.store.put_opts(&path, bytes.into(), PutOptions::from(mode)).await {
                Err(Failure::AlreadyExists { .. } | Failure::Precondition { .. }) => Ok(false),
                written => written.map(|_| true),
            }
        };
        self.within("write", &self.manifest_url(name), write).await
    }

    /// The names of all snapshots, the newest last. Whether there is a manifest to each is not looked at.
    ///
    /// # Errors
    /// What the storage says; [`Error::Unsupported`] of a web server.
    pub async fn names(&self) -> Result<Vec<Name>, Error> {
        self.may_list().await?;
        let list = self.store.list_with_delimiter(Some(&self.prefix));
        let folders = self.within("list", &self.url, list).await?.common_prefixes;
        let names = folders.iter().filter_map(|folder| folder.filename()?.parse().ok());
        let mut names: Vec<Name> = names.collect();
        names.sort();
        Ok(names)
    }

    /// All files below the prefix, whichever snapshots they belong to.
    ///
    /// # Errors
    /// As [`Self::names`].
    pub async fn files(&self) -> Result<Vec<Stored>, Error> {
        self.may_list().await?;
        let folder = self.prefix.clone().join(FILES);
        // The server's clock and ours: hours of difference would matter, see `plan`.
        let now = std::time::SystemTime::now();
        let list = self.store.list(Some(&folder)).take(LISTED_MAX);
        let list = list.try_filter_map(|found| async move {
            let sha256 = found.location.filename().and_then(|name| name.parse().ok());
            Ok(sha256.map(|sha256| Stored {
                sha256,
                bytes: found.size,
                age: now.duration_since(found.last_modified.into()).unwrap_or_default(),
            }))
        });
        self.within("list", &self.url, list.try_collect()).await
    }

    /// Of listings, refused credentials look like any other failure: so first something else is asked, of which they do
    /// not.
    async fn may_list(&self) -> Result<(), Error> {
        match &self.kind {
            Kind::Web => Err(Error::Unsupported {
                url: self.url.clone(),
                action: "list",
                words: "a web server has no list of snapshots; name one".into(),
            }),
            Kind::Folder(_) => Ok(()),
            Kind::Bucket => {
                let probe = self.prefix.clone().join(MANIFEST);
                let probed = async {
                    match self.store.get(&probe).await {
                        Ok(_) | Err(Failure::NotFound { .. }) => Ok(()),
                        Err(failure) => Err(failure),
                    }
                };
                self.within("list", &self.url, probed).await
            }
        }
    }

    /// Writes a small file, or the same once more.
    pub(super) async fn put(&self, sha256: Sha256, bytes: Bytes) -> Result<(), Error> {
        let path = self.file_path(sha256);
        let put = self.store.put(&path, bytes.into());
        self.within("write", &self.file_url(sha256), put).await.map(|_| ())
    }

    /// Begins a file that comes in parts.
    pub(super) async fn put_parts(&self, sha256: Sha256) -> Result<Box<dyn MultipartUpload>, Error> {
        let path = self.file_path(sha256);
        let begun = self.store.put_multipart(&path);
        self.within("write", &self.file_url(sha256), begun).await
    }

    /// A file from a position on, piece by piece; with the length of all of it.
    pub(super) async fn get(&self, sha256: Sha256, from: u64) -> Result<(u64, Pieces), Error> {
        let url = self.file_url(sha256);
        let path = self.file_path(sha256);
        let mut options = GetOptions::default();
        if from > 0 {
            options.range = Some(GetRange::Offset(from));
        }
        let found = self.within("read", &url, self.store.get_opts(&path, options)).await?;
        Ok((found.meta.size, found.into_stream()))
    }

    /// The next piece of a file; none at its end.
    pub(super) async fn next_piece(&self, sha256: Sha256, pieces: &mut Pieces) -> Result<Option<Bytes>, Error> {
        let next = tokio::time::timeout(IDLE_TIMEOUT, pieces.try_next());
        let url = || self.file_url(sha256);
        match next.await {
            Ok(piece) => piece.map_err(|failure| words::error("read", &url(), &failure)),
            Err(_) => Err(words::silent("read", &url(), IDLE_TIMEOUT)),
        }
    }

    pub(super) async fn remove_manifest(&self, name: &Name) -> Result<(), Error> {
        self.remove(&self.manifest_path(name), &self.manifest_url(name)).await?;
        if let Kind::Folder(folder) = &self.kind {
            // Of a bucket the folder goes with what is in it.
            let _ = fs::remove_dir(folder.join(name.to_string()));
        }
        Ok(())
    }

    pub(super) async fn remove_file(&self, sha256: Sha256) -> Result<(), Error> {
        self.remove(&self.file_path(sha256), &self.file_url(sha256)).await
    }

    async fn remove(&self, path: &Path, url: &str) -> Result<(), Error> {
        let removed = async {
            match self.store.delete(path).await {
                // By whoever tidies up at the same time.
                Err(Failure::NotFound { .. }) => Ok(()),
                removed => removed,
            }
        };
        self.within("remove", url, removed).await
    }

    /// Waits until what was written survives the loss of power: a folder's files are in memory at first.
    pub(super) async fn settle(&self) -> Result<(), Error> {
        let Kind::Folder(folder) = self.kind.clone() else {
            return Ok(());
        };
        let synced = tokio::task::spawn_blocking(move || {
            let synced = fs::File::open(&folder).and_then(|opened| Ok(rustix::fs::syncfs(opened)?));
            synced.map_err(|source| Error::Folder {
                action: "sync",
                path: folder,
                source,
            })
        });
        synced.await?
    }

    /// What a request gives, if it does so in time.
    pub(super) async fn within<T>(
        &self,
        action: &'static str,
        url: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
            Ok(answer) => answer.map_err(|failure| words::error(action, url, &failure)),
            Err(_) => Err(words::silent(action, url, REQUEST_TIMEOUT)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.url)
    }
}
