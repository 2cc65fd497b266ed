//! Makes a store out of a copy: requests it from pods until one sends it, cuts it, recomputes its digests, and only
//! then moves it to where the store belongs.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{
    Identity,
    pod::{Check, Seed, seed_reasons},
};
use tokio_util::sync::CancellationToken;

use super::{
    Offer, Refusal, Take,
    fetch::{self, Incoming},
};
use crate::{
    chain::Height,
    store::{self, Store, verify},
    telemetry::report::Report,
};

/// First and longest pause after no pod had a copy to give.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Pause after a copy that is not what it should be: it will hardly be another one soon, and may be large.
const REFUSED_PAUSE: Duration = Duration::from_secs(600);
/// Between two words about how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What is filled, with what.
#[derive(Clone)]
pub struct Filling {
    /// What the index is to be.
    pub identity: Identity,
    /// Whose copy, and how much of it.
    pub seed: Seed,
    /// The folder of the index.
    pub data_dir: PathBuf,
    /// The folder of its store, in there; empty or not there.
    pub store_dir: PathBuf,
    /// Where progress is reported.
    pub report: Arc<Report>,
}

/// Why a copy did not become a store.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    #[error("the copy of {url} is not taken: {refusal}")]
    Refused { url: String, refusal: Refusal },
    #[error("the copy of {url} is at another block than was offered")]
    NotAsOffered { url: String },
    #[error("the copy of {url} cannot be used")]
    Store { url: String, source: store::Error },
    #[error("the copy of {url} is wrong")]
    Wrong { url: String, source: verify::Error },
    #[error("{action} {}", path.display())]
    Folder {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("the thread that checks the copy ended")]
    Thread(#[from] tokio::task::JoinError),
}

impl Error {
    /// Whether asking again may bring another answer soon.
    fn is_for_now(&self) -> bool {
        match self {
            Self::Fetch(fetch::Error::Unreachable { .. } | fetch::Error::Status { .. }) => true,
            Self::Refused { refusal, .. } => refusal.is_for_now(),
            Self::Fetch(_)
            | Self::NotAsOffered { .. }
            | Self::Store { .. }
            | Self::Wrong { .. }
            | Self::Folder { .. }
            | Self::Thread(_) => false,
        }
    }
}

impl Filling {
    /// Asks the pods in turn, again and again, until one of their copies is the store. False: asked to stop meanwhile.
    ///
    /// # Errors
    /// If the HTTP client cannot be made.
    pub async fn run(&self, stop: &CancellationToken) -> Result<bool, fetch::Error> {
        let client = fetch::client()?;
        let filled = async {
            let mut pause = PAUSES.0;
            while let Err(failed) = self.ask_each(&client).await {
                let rest = if failed.is_for_now() { pause } else { REFUSED_PAUSE };
                self.tell_failure(failed);
                tokio::time::sleep(rest).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        };
        tokio::select! {
            () = stop.cancelled() => Ok(false),
            () = filled => Ok(true),
        }
    }

    /// Asks every pod once; of several failures, gives the one that a person must act on.
    async fn ask_each(&self, client: &reqwest::Client) -> Result<(), Error> {
        let mut failed = None;
        for url in &self.seed.from {
            match self.ask(client, url).await {
                Ok(()) => return Ok(()),
                Err(error) if failed.as_ref().is_none_or(Error::is_for_now) => failed = Some(error),
                Err(error) => tracing::debug!(url, %error, "no copy"),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn ask(&self, client: &reqwest::Client, url: &str) -> Result<(), Error> {
        let (incoming, offer) = Incoming::ask(client, url).await?;
        let take = offer.judge(&self.identity, self.seed.at_height.map(Height));
        let take = take.map_err(|refusal| Error::Refused {
            url: url.into(),
            refusal,
        })?;
        tracing::info!(url, height = %offer.height, bytes = offer.bytes, ?take, "receiving a copy of a store");
        let folder = self.data_dir.join("seed");
        remove(&folder)?;
        let stored = |source| Error::Store {
            url: url.into(),
            source,
        };
        let database = store::prepare(&folder).map_err(stored)?;
        let mut told = Instant::now();
        let progress = |bytes| {
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                self.tell(
                    None,
                    seed_reasons::COPYING,
                    format!("{} of {} MiB from {url}", bytes >> 20, offer.bytes >> 20),
                );
            }
        };
        incoming.receive(&offer, &database, progress).await?;
        let (this, url) = (self.clone(), url.to_owned());
        // It reads everything, for minutes if that is much; the caller must be able to stop waiting.
        tokio::task::spawn_blocking(move || this.settle(&folder, &url, &offer, take)).await?
    }

    /// Makes what was received the store.
    fn settle(&self, folder: &Path, url: &str, offer: &Offer, take: Take) -> Result<(), Error> {
        let stored = |source| Error::Store {
            url: url.into(),
            source,
        };
        let store = Store::open_existing(folder).map_err(stored)?;
        if store.tip().map(|tip| tip.at.height) != Some(offer.height) || *store.lineage() != offer.lineage {
            return Err(Error::NotAsOffered { url: url.into() });
        }
        if let Take::UpTo(at) = take {
            self.tell(None, seed_reasons::COPYING, format!("removing the blocks above {at}"));
            store.cut(at).map_err(stored)?;
        }
        let tip = store.tip().map_or(0, |tip| tip.at.height.0);
        self.tell(
            None,
            seed_reasons::COPYING,
            format!("computing the digests up to block {tip} once more"),
        );
        let verified = store.verify(|blocks| tracing::info!(from = blocks.start(), to = blocks.end(), "digests agree"));
        verified.map_err(|source| Error::Wrong {
            url: url.into(),
            source,
        })?;
        if let Take::UpTo(_) = take {
            store.hand_over(&self.identity).map_err(stored)?;
        }
        store.flush().map_err(stored)?;
        drop(store);
        remove(&self.store_dir)?;
        move_to(folder, &self.store_dir).map_err(|source| Error::Folder {
            action: "move the copy to",
            path: self.store_dir.clone(),
            source,
        })?;
        tracing::info!(url, height = tip, "the store is filled with a copy");
        Ok(())
    }

    fn tell_failure(&self, error: Error) {
        let reason = if error.is_for_now() {
            seed_reasons::UNREACHABLE
        } else {
            seed_reasons::REFUSED
        };
        let message = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(reason, error = message, "the store is not filled yet, will ask again");
        self.tell(Some(false), reason, message);
    }

    fn tell(&self, ok: Option<bool>, reason: &str, message: String) {
        self.report.update(|status| {
            status.seed = Check {
                ok,
                reason: reason.into(),
                message,
            };
        });
    }
}

/// In one step, whenever the process or the machine ends.
fn move_to(folder: &Path, store_dir: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    fs::rename(folder, store_dir)?;
    store_dir
        .parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Folder {
            action: "remove",
            path: folder.into(),
            source,
        }),
        _ => Ok(()),
    }
}
