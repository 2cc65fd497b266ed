//! Receives a copy into a folder, file by file, each checked against its hash.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use crds::pod::CHECKPOINT_PATH;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use tokio::net::lookup_host;

use super::{HELD, MAGIC, OFFER_BYTES_MAX, Offer, SENT, held::Held};
use crate::{flushing::Flushing, store::is_file_name};

/// A pod in reach accepts in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte. Before the first one the other pod writes what it has in memory, 256 MiB at most.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// What is shown of an answer that is no copy.
const WORDS_MAX: usize = 300;
/// A file while it is received. No file of a store has such a name.
const PART: &str = ".part";

/// Why no copy was received.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Error {
    /// The HTTP client cannot be made.
    #[error("set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// Its name is not known: there is no such pod, or names cannot be asked for.
    #[error("{url} has no address")]
    NoName { url: String, source: io::Error },
    /// No connection, a timeout, or an answer that breaks off.
    #[error("{url} cannot be reached, or stopped sending")]
    Unreachable { url: String, source: reqwest::Error },
    /// It has none to give just now.
    #[error("{url} answers with HTTP {status}: {words}")]
    Status { url: String, status: u16, words: String },
    /// It is no copy, or none that this version reads.
    #[error("what {url} sends is no copy of a store: {what}")]
    Malformed { url: String, what: String },
    /// It cannot be written here.
    #[error("cannot write {}: make room if the disk is full", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// How pods are asked.
///
/// # Errors
/// [`Error::Client`].
pub fn client() -> Result<Client, Error> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(Error::Client)
}

/// An answer that is read bit by bit.
pub struct Incoming {
    url: String,
    response: Response,
    /// What has come and was not taken yet.
    held: Bytes,
}

impl Incoming {
    /// Requests a copy from a pod, but for the files that are held; gives what it offers. The copy itself follows, unless
    /// this is dropped.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn ask(client: &Client, url: &str, held: &Held) -> Result<(Self, Offer), Error> {
        must_have_address(url).await?;
        let url = format!("{}{CHECKPOINT_PATH}", url.trim_end_matches('/'));
        let response = client.post(&url).json(held).send().await;
        let response = response.map_err(|source| unreachable(&url, source))?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            return Err(Error::Status {
                status,
                words: words(response).await,
                url,
            });
        }
        let mut incoming = Self {
            url,
            response,
            held: Bytes::new(),
        };
        if incoming.exactly(MAGIC.len()).await? != MAGIC {
            return Err(incoming.malformed("it begins otherwise"));
        }
        let length = u32::from_be_bytes(incoming.array().await?) as usize;
        if length > OFFER_BYTES_MAX {
            return Err(incoming.malformed("what it offers is too long"));
        }
        let offer = incoming.exactly(length).await?;
        let offer = serde_json::from_slice(&offer).map_err(|error| incoming.malformed(error.to_string()))?;
        Ok((incoming, offer))
    }

    /// Receives the files of an offer into a folder, in which those that are held are; on disk when it returns, and
    /// nothing else is in there. `held` has what came, also when it fails. `progress` is called with the number of bytes
    /// that are there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn receive(
        mut self,
        offer: &Offer,
        folder: &Path,
        held: &mut Held,
        mut progress: impl FnMut(u64),
    ) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(cannot_write(folder))?;
        let mut there = 0;
        let mut named = BTreeSet::new();
        loop {
            let [length] = self.array().await?;
            if length == 0 {
                break;
            }
            let name = self.exactly(usize::from(length)).await?;
            let name = String::from_utf8(name)
                .ok()
                .filter(|name| is_file_name(name.as_bytes()));
            let name = name.ok_or_else(|| self.malformed("a file has a name that none can have"))?;
            let bytes = u64::from_be_bytes(self.array().await?);
            if bytes > offer.bytes - there {
                return Err(self.malformed("it is longer than was offered"));
            }
            match self.array().await? {
                [SENT] => {
                    let hash = self
                        .file(bytes, &name, folder, |of_file| progress(there + of_file))
                        .await?;
                    held.insert(name.clone(), bytes, &hash);
                }
                [HELD] => {
                    let hash = blake3::Hash::from_bytes(self.array().await?);
                    if !held.has(&name, bytes, &hash) {
                        return Err(self.malformed(format!("{name} is not sent, and not here")));
                    }
                    progress(there + bytes);
                }
                [_] => return Err(self.malformed("a file is neither sent nor held")),
            }
            there += bytes;
            named.insert(name);
        }
        if there < offer.bytes {
            return Err(self.malformed("it is shorter than was offered"));
        }
        leave_only(&named, folder).map_err(cannot_write(folder))
    }

    /// Receives one file of so many bytes. It has its name only when it is whole.
    async fn file(
        &mut self,
        bytes: u64,
        name: &str,
        folder: &Path,
        mut progress: impl FnMut(u64),
    ) -> Result<blake3::Hash, Error> {
        let part = folder.join(PART);
        let mut flushing = Flushing::new(File::create(&part).map_err(cannot_write(&part))?);
        let mut hasher = blake3::Hasher::new();
        let mut come = 0;
        while come < bytes {
            let piece = self.some(bytes - come).await?;
            hasher.update(&piece);
            flushing.file().write_all(&piece).map_err(cannot_write(&part))?;
            come += piece.len() as u64;
            flushing.has(come).map_err(cannot_write(&part))?;
            progress(come);
        }
        let hash = hasher.finalize();
        if self.exactly(blake3::OUT_LEN).await? != hash.as_bytes() {
            return Err(self.malformed(format!("{name} is not what was sent")));
        }
        let path = folder.join(name);
        let kept = flushing.end().await.and_then(|()| fs::rename(&part, &path));
        kept.map_err(cannot_write(&path))?;
        Ok(hash)
    }

    /// At least one byte and at most so many.
    async fn some(&mut self, most: u64) -> Result<Bytes, Error> {
        while self.held.is_empty() {
            let chunk = self.response.chunk().await;
            let chunk = chunk.map_err(|source| unreachable(&self.url, source))?;
            self.held = chunk.ok_or_else(|| self.malformed("it ends too early"))?;
        }
        let most = usize::try_from(most).map_or(self.held.len(), |most| most.min(self.held.len()));
        Ok(self.held.split_to(most))
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let piece = self.some((length - bytes.len()) as u64).await?;
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    async fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(&self.exactly(N).await?);
        Ok(array)
    }

    fn malformed(&self, what: impl Into<String>) -> Error {
        Error::Malformed {
            url: self.url.clone(),
            what: what.into(),
        }
    }
}

/// Whether there is an address for the host of a URL.
///
/// # Errors
/// [`Error::NoName`]; [`Error::Malformed`] if it is no URL with a host.
pub async fn must_have_address(url: &str) -> Result<(), Error> {
    let place = Url::parse(url).ok().and_then(|parsed| {
        let host = parsed.host_str()?.to_owned();
        Some((host, parsed.port_or_known_default()?))
    });
    let place = place.ok_or_else(|| Error::Malformed {
        url: url.into(),
        what: "it is no URL".into(),
    })?;
    match lookup_host(place).await {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::NoName {
            url: url.into(),
            source,
        }),
    }
}

/// Removes what an earlier try left of another copy.
fn leave_only(named: &BTreeSet<String>, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_named = entry.file_name().to_str().is_some_and(|name| named.contains(name));
        if is_named {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    File::open(folder)?.sync_all()
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    |source| Error::Write { path, source }
}

fn unreachable(url: &str, source: reqwest::Error) -> Error {
    Error::Unreachable {
        url: url.into(),
        source: source.without_url(),
    }
}

/// The start of an answer, on one line.
async fn words(mut response: Response) -> String {
    let first = response.chunk().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&first[..first.len().min(WORDS_MAX)]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
