//! Serves copies of this pod's store, one at a time.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use crds::pod::CHECKPOINT_PATH;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

use super::{
    HELD, MAGIC, Offer, PIECE_BYTES, SENT,
    held::{self, HELD_BYTES_MAX, Held},
};
use crate::{
    fault::Fault,
    store::{self, Links, Store},
};

/// Pieces that wait for the network.
const PIECES_AHEAD: usize = 4;
/// A receiver that takes no piece for so long is gone, or keeps others waiting.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sending yields to everything else where CPU is scarce, as a batch job does.
const NICENESS: i32 = 10;
/// After how many seconds to retry.
const ASK_AGAIN: &str = "5";

/// What copies are made of, once it is open.
pub struct Copies {
    store: OnceLock<Store>,
    /// The store is empty, and is being filled itself.
    is_filled: AtomicBool,
    /// Where a copy is while it is sent; on the volume of the store, since it is made of links.
    folder: PathBuf,
    place: Arc<Semaphore>,
}

/// A copy that is being sent. Its folder is removed with it; only then can the next copy be made.
struct Outgoing {
    offer: Offer,
    links: Links,
    _place: OwnedSemaphorePermit,
}

/// Why there is no copy.
enum Unavailable {
    /// Nothing is indexed here yet.
    Nothing,
    /// The request is none.
    Malformed(serde_json::Error),
    /// A later request may succeed.
    NotNow(&'static str),
    /// What failed.
    Failed(String),
}

impl Copies {
    /// Nothing to copy yet. `data_dir` holds the store's folder.
    #[must_use]
    pub fn new(data_dir: &Path) -> Arc<Self> {
        Arc::new(Self {
            store: OnceLock::new(),
            is_filled: AtomicBool::new(false),
            folder: data_dir.join("checkpoint"),
            place: Arc::new(Semaphore::new(1)),
        })
    }

    /// The store has no blocks, and is filled with another pod's copy if there is one: whoever asks meanwhile hears that
    /// there is none here, or pods that begin together would wait for each other.
    pub fn filling(&self) {
        self.is_filled.store(true, Relaxed);
    }

    /// From here on copies are made. A second call changes nothing.
    pub fn open(&self, store: Store) {
        // Left by a process that died: no other one is running, since the store is locked.
        if let Err(error) = store::remove(&self.folder) {
            tracing::warn!(%error, "cannot remove a copy that was not sent to its end");
        }
        let _ = self.store.set(store);
    }

    fn make(&self) -> Result<Outgoing, Unavailable> {
        let store = self.store.get().ok_or_else(|| {
            if self.is_filled.load(Relaxed) {
                Unavailable::Nothing
            } else {
                Unavailable::NotNow("the index is not open yet")
            }
        })?;
        let place = Arc::clone(&self.place).try_acquire_owned();
        let place = place.map_err(|_| Unavailable::NotNow("another copy is under way"))?;
        let links = store.links(self.folder.clone());
        let links = links.map_err(|error| Unavailable::Failed(Fault::from(error).message))?;
        let tip = links.copied.tip.ok_or(Unavailable::Nothing)?;
        let offer = Offer {
            lineage: links.copied.lineage.as_ref().clone(),
            height: tip.at.height,
            bytes: links.files.iter().map(|(_, bytes)| bytes).sum(),
        };
        Ok(Outgoing {
            offer,
            links,
            _place: place,
        })
    }
}

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        match self {
            Self::Nothing => (StatusCode::NOT_FOUND, "nothing is indexed yet\n").into_response(),
            Self::Malformed(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
            Self::NotNow(why) => {
                let again = [(header::RETRY_AFTER, ASK_AGAIN)];
                (StatusCode::SERVICE_UNAVAILABLE, again, format!("{why}\n")).into_response()
            }
            Self::Failed(error) => {
                tracing::error!(error, "no copy of the store can be made");
                (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
            }
        }
    }
}

/// `POST /checkpoint`. Unauthenticated, like the rest of the ops port.
pub fn router(copies: Arc<Copies>) -> Router {
    Router::new()
        .route(CHECKPOINT_PATH, post(checkpoint))
        .layer(DefaultBodyLimit::max(HELD_BYTES_MAX))
        .with_state(copies)
}

async fn checkpoint(State(copies): State<Arc<Copies>>, held: Bytes) -> Result<Response, Unavailable> {
    let held: Held = match held.is_empty() {
        true => Held::default(),
        false => serde_json::from_slice(&held).map_err(Unavailable::Malformed)?,
    };
    // It waits for the commit that is under way and for what is in memory to be written.
    let made = tokio::task::spawn_blocking(move || copies.make()).await;
    let copy = made.map_err(|error| Unavailable::Failed(error.to_string()))??;
    tracing::info!(height = %copy.offer.height, bytes = copy.offer.bytes, "sending a copy of the store");
    let (pieces_tx, mut pieces) = mpsc::channel(PIECES_AHEAD);
    let out = Out {
        pieces: pieces_tx,
        runtime: Handle::current(),
    };
    // A thread of its own, so that queries and blocks take precedence on disk and CPU.
    let started = thread::Builder::new().name("copy".into()).spawn(move || {
        let _ = rustix::process::setpriority_process(None, NICENESS);
        match send(&copy, &held, &out) {
            Ok(()) => tracing::info!(height = %copy.offer.height, "the copy is sent"),
            Err(error) => {
                tracing::warn!(%error, "the copy was not sent to its end");
                // The receiver sees the answer break off.
                let _ = out.pieces.try_send(Err(error));
            }
        }
    });
    started.map_err(|error| Unavailable::Failed(error.to_string()))?;
    let body = Body::from_stream(futures::stream::poll_fn(move |context| pieces.poll_recv(context)));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// Where pieces go.
struct Out {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
}

impl Out {
    fn put(&self, piece: Bytes) -> io::Result<()> {
        let sent = self.pieces.send_timeout(Ok(piece), PATIENCE);
        let gone = |_| io::Error::new(io::ErrorKind::TimedOut, "the receiver stopped reading");
        self.runtime.block_on(sent).map_err(gone)
    }
}

fn send(copy: &Outgoing, held: &Held, out: &Out) -> io::Result<()> {
    let offer = serde_json::to_vec(&copy.offer)?;
    let mut head = BytesMut::from(MAGIC);
    head.put_u32(u32::try_from(offer.len()).map_err(io::Error::other)?);
    head.extend_from_slice(&offer);
    out.put(head.freeze())?;
    for (name, bytes) in &copy.links.files {
        let mut head = BytesMut::new();
        head.put_u8(u8::try_from(name.len()).map_err(io::Error::other)?);
        head.extend_from_slice(name.as_bytes());
        head.put_u64(*bytes);
        let path = copy.links.path(name);
        if let Some(hash) = hash_if_held(held, name, *bytes, &path)? {
            head.put_u8(HELD);
            head.extend_from_slice(hash.as_bytes());
            out.put(head.freeze())?;
        } else {
            head.put_u8(SENT);
            out.put(head.freeze())?;
            out.put(send_bytes(File::open(path)?, *bytes, out)?)?;
        }
    }
    out.put(Bytes::from_static(&[0]))
}

/// The hash of a file that the receiver has. One of the same name and length may be another store's.
fn hash_if_held(held: &Held, name: &str, bytes: u64, path: &Path) -> io::Result<Option<blake3::Hash>> {
    if !held.may_have(name, bytes) {
        return Ok(None);
    }
    let hash = held::hash(path)?;
    Ok(held.has(name, bytes, &hash).then_some(hash))
}

/// Sends just so many bytes; gives the hash of them.
fn send_bytes(mut file: File, bytes: u64, out: &Out) -> io::Result<Bytes> {
    let mut hasher = blake3::Hasher::new();
    let mut left = bytes;
    while left > 0 {
        let length = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let mut piece = BytesMut::zeroed(length);
        file.read_exact(&mut piece)?;
        hasher.update(&piece);
        out.put(piece.freeze())?;
        left -= length as u64;
    }
    Ok(Bytes::copy_from_slice(hasher.finalize().as_bytes()))
}
