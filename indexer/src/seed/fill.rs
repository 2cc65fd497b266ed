//! Makes a store out of a copy: requests it from pods until one sends it, cuts it, recomputes its digests, and only
//! then moves it to where the store belongs.

mod failure;
mod patience;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{
    Identity,
    pod::{Check, FaultClass, Seed, seed_reasons},
};
use tokio_util::sync::CancellationToken;

use failure::Error;
use patience::Patience;

use super::{
    Offer, Take,
    fetch::{self, Incoming},
    held::Held,
};
use crate::{
    chain::Height,
    fault::Fault,
    rows::Room,
    store::{self, Store, Vacancy},
    telemetry::report::Report,
};

/// First and longest pause after no pod had a copy to give.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Pause after a copy that is not what it should be: it will hardly be another one soon, and may be large.
const REFUSED_PAUSE: Duration = Duration::from_secs(600);
/// Between two looks at a disk that is full.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two words about how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How filling ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// A copy is the store.
    Copied,
    /// There is none, and none is needed.
    NoCopy,
    /// It was asked to stop.
    Stopped,
}

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
    /// The name of this machine, as others find it: the first part of its host's name. Its own address is not asked.
    pub own_name: Option<String>,
}

impl Filling {
    /// Asks the pods in turn, again and again, until one of their copies is the store, or, if that is optional, until it is
    /// clear that there is none.
    ///
    /// # Errors
    /// If the HTTP client cannot be made.
    pub async fn run(&self, stop: &CancellationToken) -> Result<Filled, fetch::Error> {
        let client = fetch::client()?;
        tokio::select! {
            () = stop.cancelled() => Ok(Filled::Stopped),
            filled = self.ask_until(&client) => Ok(filled),
        }
    }

    async fn ask_until(&self, client: &reqwest::Client) -> Filled {
        let mut pause = PAUSES.0;
        let mut patience = Patience::new(Instant::now());
        let mut held = None;
        loop {
            let Err(failures) = self.ask_each(client, &mut held).await else {
                return Filled::Copied;
            };
            let is_named = self.has_own_address().await;
            if patience.ends(&failures, is_named, Instant::now()) && self.seed.optional {
                for (_, error) in failures {
                    tracing::debug!(%error, "no copy");
                }
                if let Err(error) = store::remove(&self.folder()) {
                    tracing::warn!(%error, "cannot remove a part of a copy");
                }
                self.tell(Some(true), seed_reasons::NO_COPY, String::new());
                return Filled::NoCopy;
            }
            // Of several failures, the one that a person must act on.
            let worst = failures.into_iter().map(|(_, error)| error);
            let worst = worst.min_by_key(Error::is_for_now);
            match worst {
                Some(full @ Error::NoRoom { needed, .. }) => {
                    self.tell_failure(full);
                    self.wait_for_room(needed).await;
                }
                worst => {
                    let is_for_now = worst.as_ref().is_none_or(Error::is_for_now);
                    worst.into_iter().for_each(|worst| self.tell_failure(worst));
                    tokio::time::sleep(if is_for_now { pause } else { REFUSED_PAUSE }).await;
                }
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Asks every pod but this one once; the failure of each if none gave a copy. `held`: files that came, once it is
    /// known.
    async fn ask_each(&self, client: &reqwest::Client, held: &mut Option<Held>) -> Result<(), Vec<(&str, Error)>> {
        let mut failures = Vec::new();
        for url in self.seed.from.iter().filter(|url| !self.is_own(url)) {
            match self.ask(client, url, held).await {
                Ok(()) => return Ok(()),
                Err(error) => failures.push((url.as_str(), error)),
            }
        }
        Err(failures)
    }

    /// Whether this pod itself is found by its name: then others that are there would be.
    async fn has_own_address(&self) -> bool {
        match self.seed.from.iter().find(|url| self.is_own(url)) {
            Some(own) => fetch::must_have_address(own).await.is_ok(),
            None => false,
        }
    }

    fn is_own(&self, url: &str) -> bool {
        let host = reqwest::Url::parse(url).ok();
        let host = host.as_ref().and_then(|url| url.host_str()?.split('.').next());
        host.is_some() && host == self.own_name.as_deref()
    }

    /// Says that the disk is full, and waits until so many bytes fit. What is to be copied grows meanwhile, so it asks
    /// again after a while.
    async fn wait_for_room(&self, needed: u64) {
        let room = Room::of(&self.data_dir);
        self.report.in_trouble(&Fault {
            class: FaultClass::DiskFull,
            message: self.report.status().seed.message,
        });
        let asked = Instant::now();
        while asked.elapsed() < REFUSED_PAUSE && !room.space().is_ok_and(|space| space.has(needed)) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.report.update(|status| status.trouble = None);
    }

    /// Before hours of receiving.
    fn check_room(&self, needed: u64, url: &str) -> Result<(), Error> {
        match Room::of(&self.data_dir).space() {
            Ok(space) if !space.has(needed) => Err(Error::NoRoom {
                url: url.into(),
                needed,
                free: space.free_bytes,
            }),
            // Where it cannot be asked for, writing will tell.
            _ => Ok(()),
        }
    }

    /// Where a copy is until it is the store.
    fn folder(&self) -> PathBuf {
        self.data_dir.join("seed")
    }

    async fn ask(&self, client: &reqwest::Client, url: &str, held: &mut Option<Held>) -> Result<(), Error> {
        let folder = self.folder();
        let stored = |source| Error::Store {
            url: url.into(),
            source,
        };
        let held_now = match held.take() {
            Some(held) => held,
            None => {
                let folder = folder.clone();
                tokio::task::spawn_blocking(move || left_in(&folder))
                    .await?
                    .map_err(stored)?
            }
        };
        let held_now = held.insert(held_now);
        let (incoming, offer) = Incoming::ask(client, url, held_now).await?;
        let take = offer.judge(&self.identity, self.seed.at_height.map(Height));
        let take = take.map_err(|refusal| Error::Refused {
            url: url.into(),
            refusal,
        })?;
        let held_bytes = held_now.bytes();
        self.check_room(offer.bytes.saturating_sub(held_bytes), url)?;
        tracing::info!(url, height = %offer.height, bytes = offer.bytes, held_bytes, ?take, "receiving a copy of a store");
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
        let received = incoming.receive(&offer, &database, held_now, progress).await;
        received.map_err(Error::BrokeOff)?;
        *held = None;
        let (this, url) = (self.clone(), url.to_owned());
        // It reads everything, for minutes if that is much; the caller must be able to stop waiting.
        let settled = tokio::task::spawn_blocking(move || {
            let settled = this.settle(&folder, &url, &offer, take);
            if settled.is_err() {
                // Its files are what the other pod has: they would make the same store again.
                store::remove(&folder).map_err(|source| Error::Store { url, source })?;
            }
            settled
        });
        settled.await?
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
        let vacancy = Vacancy::find(&self.store_dir).map_err(stored)?;
        vacancy.fill(folder).map_err(stored)?;
        tracing::info!(url, height = tip, "the store is filled with a copy");
        Ok(())
    }

    fn tell_failure(&self, error: Error) {
        let reason = match &error {
            Error::BrokeOff(fetch::Error::Write { .. }) => seed_reasons::REFUSED,
            error if error.is_for_now() => seed_reasons::UNREACHABLE,
            _ => seed_reasons::REFUSED,
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

/// The files that an earlier try received, this process's or one's before. Reads them all. What cannot be continued is
/// removed.
fn left_in(folder: &Path) -> Result<Held, store::Error> {
    if !folder.exists() {
        return Ok(Held::default());
    }
    let database = store::prepare(folder);
    match database.as_deref().map(Held::of) {
        Ok(Ok(held)) => Ok(held),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a part of a copy cannot be read, and is removed");
            store::remove(folder).map(|()| Held::default())
        }
        Err(error) => {
            tracing::warn!(%error, "a part of a copy cannot be continued, and is removed");
            store::remove(folder).map(|()| Held::default())
        }
    }
}
