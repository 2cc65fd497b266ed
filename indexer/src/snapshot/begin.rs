//! Begins an empty index with the snapshot that is declared: tried until it is the store.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{
    Identity,
    pod::{self, Bootstrap, seed_reasons},
};
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    claim::Claim,
    manifest::Wanted,
    pace::Pace,
    place::{Access, Place},
    publish::Progress,
    restore::Restorer,
    sha256::Sha256,
};
use crate::telemetry::report::Report;

/// First and longest pause after a failure that may be over soon, or after refused credentials: a Secret that is put right
/// is used soon.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Pause after a snapshot that is not the one that is wanted, or is broken: it will hardly be another one soon, and may be
/// large.
const REFUSED_PAUSE: Duration = Duration::from_secs(600);
/// Between two words about how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The snapshot is the store.
    Restored,
    /// It was asked to stop.
    Stopped,
}

/// An empty index, and the snapshot that it begins with.
pub struct Beginning {
    /// The snapshot.
    pub bootstrap: Bootstrap,
    /// What the index is to be.
    pub identity: Identity,
    /// The folder of the index.
    pub data_dir: PathBuf,
    /// The folder of its store, in there; not there, or without blocks.
    pub store_dir: PathBuf,
    /// Where progress is reported.
    pub report: Arc<Report>,
    /// What does not pass by itself ends it: somebody waits for it.
    pub is_one_shot: bool,
}

/// What a failure means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outlook {
    /// It may succeed soon.
    Soon,
    /// It may succeed as soon as somebody changes who may read what.
    Denied,
    /// The snapshot is refused.
    Refused,
}

impl Outlook {
    fn of(error: &Error) -> Self {
        match error {
            // The kubelet mounts a Secret that comes later.
            Error::Credentials { .. } => Self::Soon,
            Error::Denied { .. } => Self::Denied,
            other if other.is_for_now() => Self::Soon,
            _ => Self::Refused,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Soon => seed_reasons::SNAPSHOT_UNAVAILABLE,
            Self::Denied | Self::Refused => seed_reasons::SNAPSHOT_REFUSED,
        }
    }
}

impl Beginning {
    /// Restores the snapshot, again and again until it is the store. Nothing of one that fails is used. `claim` is that of
    /// the folder.
    ///
    /// # Errors
    /// With `is_one_shot`, what does not pass by itself.
    pub async fn run(&self, claim: &Claim, stop: &CancellationToken) -> Result<Begun, Error> {
        tokio::select! {
            () = stop.cancelled() => Ok(Begun::Stopped),
            restored = self.restore_until(claim) => restored.map(|()| Begun::Restored),
        }
    }

    async fn restore_until(&self, claim: &Claim) -> Result<(), Error> {
        // Once: what failed stays in sight until something of the next try has come.
        self.tell(None, seed_reasons::RESTORING, "asking for the snapshot".into());
        let mut pause = PAUSES.0;
        loop {
            let Err(error) = self.restore(claim).await else {
                return Ok(());
            };
            let outlook = Outlook::of(&error);
            if self.is_one_shot && outlook != Outlook::Soon {
                return Err(error);
            }
            let message = format!("{:#}", anyhow::Error::from(error));
            let reason = outlook.reason();
            tracing::warn!(reason, error = message, "the index has not begun, will try again");
            self.tell(Some(false), reason, message);
            let rest = if outlook == Outlook::Refused {
                REFUSED_PAUSE
            } else {
                pause
            };
            tokio::time::sleep(rest).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// One try. Credentials are read anew for it.
    async fn restore(&self, claim: &Claim) -> Result<(), Error> {
        let Bootstrap {
            url,
            manifest_sha256,
            verify,
            storage,
        } = &self.bootstrap;
        let (place, name) = Place::of_snapshot(url, &Access::from(storage))?;
        let shown = place.snapshot_url(&name);
        let pinned = manifest_sha256.as_deref().map(str::parse::<Sha256>).transpose();
        let pinned = pinned.map_err(|error| Error::Url {
            url: shown.clone(),
            what: format!("its manifest cannot be compared: {error}"),
        })?;
        tracing::info!(url = shown, "restoring a snapshot");
        let restorer = Restorer {
            place,
            name,
            wanted: Wanted {
                identity: Some(self.identity.clone()),
                ..Wanted::default()
            },
            pinned,
            check: (*verify).into(),
            data_dir: self.data_dir.clone(),
            store_dir: self.store_dir.clone(),
        };
        let mut told = Instant::now();
        let progress = |progress: Progress| {
            let is_whole = progress.done_bytes == progress.total_bytes;
            if is_whole || told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                self.tell(None, seed_reasons::RESTORING, in_words(progress, &shown));
            }
        };
        let manifest = restorer.restore_under(claim, &mut Pace::new(None), progress).await?;
        tracing::info!(url = shown, height = %manifest.tip.at.height, "the store is a snapshot");
        Ok(())
    }

    fn tell(&self, ok: Option<bool>, reason: &str, message: String) {
        self.report.update(|status| {
            status.seed = pod::Check {
                ok,
                reason: reason.into(),
                message,
            };
        });
    }
}

fn in_words(progress: Progress, url: &str) -> String {
    let Progress {
        done_bytes,
        total_bytes,
    } = progress;
    if done_bytes == total_bytes {
        format!("checking the {} MiB from {url}", total_bytes >> 20)
    } else {
        format!("{} of {} MiB from {url}", done_bytes >> 20, total_bytes >> 20)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::snapshot::manifest::Refusal;

    #[test]
    fn what_is_refused_is_tried_rarely_and_what_may_pass_soon() {
        let url = || "s3://bucket/prefix/5".to_owned();
        let words = String::new;
        let refused = Error::Refused {
            url: url(),
            refusal: Refusal::Module {
                found: "ab".into(),
                wanted: "cd".into(),
            },
        };
        let credentials = Error::Credentials {
            path: "/etc/shrewd/bootstrap/AWS_ACCESS_KEY_ID".into(),
            source: io::ErrorKind::NotFound.into(),
        };
        let unavailable = Error::Unavailable {
            url: url(),
            action: "read",
            words: words(),
        };
        let denied = Error::Denied {
            url: url(),
            action: "read",
            words: words(),
        };
        let full = Error::NoRoom {
            dir: "/var/lib/shrewd".into(),
            needed: 2,
            free: 1,
        };
        let cases = [
            (refused, Outlook::Refused),
            (Error::Missing { url: url() }, Outlook::Refused),
            (credentials, Outlook::Soon),
            (unavailable, Outlook::Soon),
            (full, Outlook::Soon),
            (denied, Outlook::Denied),
        ];
        for (error, expected) in cases {
            assert_eq!(Outlook::of(&error), expected, "{error}");
        }
    }

    #[test]
    fn how_far_it_is_is_told_in_words() {
        let told = |done_bytes, total_bytes| {
            let progress = Progress {
                done_bytes,
                total_bytes,
            };
            in_words(progress, "URL")
        };
        assert_eq!(told(1 << 20, 3 << 20), "1 of 3 MiB from URL");
        assert_eq!(told(3 << 20, 3 << 20), "checking the 3 MiB from URL");
    }
}
