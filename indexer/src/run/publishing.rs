//! Publishes snapshots beside indexing: one after another, on a thread of its own.

use std::{
    fs,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use crds::{
    LatestSnapshot, SnapshotUnderway,
    pod::{Check, Config, Publishing, Snapshots, snapshot_reasons},
};

use super::process::Process;
use crate::{
    chain::{BlockRef, Height},
    control::snapshot_requests::{Asked, SnapshotRequests},
    snapshot::{
        Error, Pace,
        place::{Access, Place},
        plan::Retention,
        publish::{self, Progress, Published, Publisher},
        schedule::Schedule,
    },
    store::{Store, Tip},
    telemetry::{metrics::Metrics, report::Report},
};

/// How often it is looked whether a snapshot is due: at the tip it is of the block that it is due at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// First and longest pause after a failure. A publisher that tries again sends only what is missing.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));
/// Between two words about how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// What is said while there is none, and none is due.
const NONE_DUE: &str = "no snapshot is due yet";
/// Publishing yields to everything else where CPU is scarce, as a batch job does.
const NICENESS: i32 = 10;

/// Publishes snapshots of a store, if that is declared and this is the host that does it.
struct Task {
    publishing: Publishing,
    data_dir: PathBuf,
    store: Store,
    schedule: Schedule,
    pace: Pace,
    report: Arc<Report>,
    metrics: Arc<Metrics>,
    requests: Arc<SnapshotRequests>,
    /// The newest block of the last snapshot.
    last: Option<BlockRef>,
    latest: Option<LatestSnapshot>,
    /// The storage was asked for the last one: after a restart there may be one.
    has_asked: bool,
    /// Reason and message of the last try, if it failed. It stays in sight until a try succeeds.
    failure: Option<(&'static str, String)>,
}

/// What this process is to publish; none if nothing is declared, or another host does it.
pub(super) fn declared(config: &Config) -> Option<&Publishing> {
    let is_here = |host: &String| std::env::var("HOSTNAME").is_ok_and(|name| name == *host);
    let publishing = config.snapshots.as_ref();
    publishing.filter(|publishing| publishing.host.as_ref().is_none_or(is_here))
}

/// Starts the thread that publishes, if there is anything to publish here. It ends when the process is asked to stop.
///
/// # Errors
/// If the system gives no thread.
pub(super) fn start(process: &Process, store: &Store) -> Result<()> {
    let (Some(publishing), Some(requests)) = (declared(&process.config), &process.snapshot_requests) else {
        return Ok(());
    };
    let mut task = Task::new(process, publishing, requests, store);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = process.control.stop_token().clone();
    // With a runtime of its own, whose threads have its niceness: hashing and uploading take as much CPU as indexing.
    thread::Builder::new().name("publish".into()).spawn(move || {
        let _ = rustix::process::setpriority_process(None, NICENESS);
        runtime.block_on(stop.run_until_cancelled(task.run()));
        // A file that is being hashed is not waited for.
        runtime.shutdown_background();
    })?;
    Ok(())
}

impl Task {
    fn new(process: &Process, publishing: &Publishing, requests: &Arc<SnapshotRequests>, store: &Store) -> Self {
        let config = &process.config;
        Self {
            publishing: publishing.clone(),
            data_dir: config.data_dir.clone(),
            store: store.clone(),
            schedule: Schedule {
                every_blocks: NonZeroU32::new(publishing.every_blocks).unwrap_or(NonZeroU32::MIN),
                start: Height(config.identity.start_height),
                stop: config.stop_height.map(Height),
            },
            pace: Pace::new(publishing.bytes_per_second.and_then(NonZeroU64::new)),
            report: process.report.clone(),
            metrics: process.metrics.clone(),
            requests: requests.clone(),
            last: None,
            latest: None,
            has_asked: false,
            failure: None,
        }
    }

    /// Without an end.
    async fn run(&mut self) {
        let mut pause = PAUSES.0;
        loop {
            let rest = match self.look().await {
                Ok(()) => {
                    pause = PAUSES.0;
                    LOOK_EVERY
                }
                Err(error) => {
                    self.metrics.snapshot_failed();
                    let (reason, message) = (reason(&error), format!("{:#}", anyhow::Error::from(error)));
                    tracing::warn!(reason, error = message, "no snapshot was published, will try again");
                    self.failure = Some((reason, message));
                    self.tell_standing(snapshot_reasons::PENDING, NONE_DUE);
                    let rest = pause;
                    pause = (pause * 2).min(PAUSES.1);
                    rest
                }
            };
            // Whoever asks has made sure that it can be done now: after a failure too.
            let _ = tokio::time::timeout(rest, self.requests.came()).await;
        }
    }

    /// Publishes a snapshot if one is due.
    async fn look(&mut self) -> Result<(), Error> {
        if !self.serves() {
            // Meanwhile others may publish.
            (self.has_asked, self.failure) = (false, None);
            let message = "snapshots are published while this revision serves clients";
            self.tell(None, snapshot_reasons::NOT_SERVING, message.into());
            return Ok(());
        }
        // In this order: the tip is that of the request, or a later one.
        let asked = self.requests.waiting();
        let tip = self.store.tip().map(|tip| tip.at);
        // The one that is known may have been removed since; whoever asks for one wants it to be there. Without a block
        // the request waits, and the storage is not asked each second.
        if !self.has_asked || (asked.is_some() && tip.is_some()) {
            self.ask().await?;
        }
        match tip {
            Some(tip) if self.schedule.is_due(tip, self.last, asked.is_some()) => return self.publish(asked).await,
            // There is one of this very block.
            Some(_) => asked.into_iter().for_each(|asked| self.requests.carried_out(asked)),
            None => {}
        }
        self.failure = None;
        self.tell_standing(snapshot_reasons::PENDING, NONE_DUE);
        Ok(())
    }

    /// Whether clients are sent to this data.
    fn serves(&self) -> bool {
        let file = self.publishing.serves_file.as_ref();
        file.is_none_or(|file| fs::read_to_string(file).is_ok_and(|text| text.trim() == "true"))
    }

    /// Looks in the storage for the last snapshot.
    async fn ask(&mut self) -> Result<(), Error> {
        let publisher = self.publisher()?;
        let newest = publisher.newest(&self.store.lineage().newest().revision()).await?;
        let newest = newest.map(|(name, sha256, manifest)| {
            let url = publisher.place.snapshot_url(&name);
            (
                manifest.tip,
                latest(manifest.tip, url, sha256.to_string(), manifest.bytes()),
            )
        });
        (self.last, self.latest) = newest.map(|(tip, latest)| (tip.at, latest)).unzip();
        self.has_asked = true;
        Ok(())
    }

    /// `asked` is the request that waits.
    async fn publish(&mut self, asked: Option<Asked>) -> Result<(), Error> {
        self.tell_standing(snapshot_reasons::PUBLISHING, "the first snapshot is being published");
        let publisher = self.publisher()?;
        let prepared = publisher.prepare(&self.store, &self.pace).await?;
        let height = prepared.tip().at.height.0;
        tracing::info!(height, url = publisher.place.url(), "publishing a snapshot");
        let (report, metrics) = (&self.report, &self.metrics);
        let mut counted = 0;
        let mut told = None;
        let progress = |progress: Progress| {
            // What is found missing at the end begins at zero again.
            metrics.snapshot_uploaded(progress.done_bytes.checked_sub(counted).unwrap_or(progress.done_bytes));
            counted = progress.done_bytes;
            if told.is_none_or(|told: Instant| told.elapsed() >= TELL_EVERY) {
                told = Some(Instant::now());
                show_underway(report, height, progress);
            }
        };
        let published = publisher.send(prepared, &mut self.pace, progress).await?;
        tracing::info!(
            height,
            url = published.url,
            files = published.uploaded.0,
            bytes = published.uploaded.1,
            "the snapshot is there"
        );
        self.last = Some(published.tip.at);
        let waiting = self.requests.waiting();
        if let Some(waiting) = waiting.filter(|waiting| waiting.is_met(asked.as_ref(), published.tip.at)) {
            self.requests.carried_out(waiting);
        }
        self.latest = Some(of(published));
        self.failure = None;
        self.tell_standing(snapshot_reasons::PENDING, NONE_DUE);
        Ok(())
    }

    /// Credentials are read anew with each.
    fn publisher(&self) -> Result<Publisher, Error> {
        let place = Place::new(&self.publishing.url, &Access::from(&self.publishing.storage))?;
        Ok(Publisher {
            place,
            data_dir: self.data_dir.clone(),
            retention: Some(Retention {
                keep: NonZeroU32::new(self.publishing.keep).unwrap_or(NonZeroU32::MIN),
                grace: publish::GRACE,
            }),
        })
    }

    /// What failed; or that all is well; or, with these words, why there is no snapshot yet.
    fn tell_standing(&self, reason: &str, message: &str) {
        match (&self.failure, &self.latest) {
            (Some((reason, message)), _) => self.tell(Some(false), reason, message.clone()),
            (None, Some(_)) => self.tell(Some(true), snapshot_reasons::PUBLISHED, String::new()),
            (None, None) => self.tell(None, reason, message.into()),
        }
    }

    /// Nothing is under way.
    fn tell(&self, ok: Option<bool>, reason: &str, message: String) {
        self.report.update(|status| {
            status.snapshots = Some(Snapshots {
                latest: self.latest.clone(),
                underway: None,
                check: Check {
                    ok,
                    reason: reason.into(),
                    message,
                },
                last_request: self.requests.done(),
            });
        });
    }
}

fn show_underway(report: &Report, height: u32, progress: Progress) {
    report.update(|status| {
        if let Some(snapshots) = &mut status.snapshots {
            snapshots.underway = Some(SnapshotUnderway {
                height,
                done_bytes: progress.done_bytes,
                total_bytes: progress.total_bytes,
            });
        }
    });
}

fn of(published: Published) -> LatestSnapshot {
    let manifest_sha256 = published.manifest_sha256.to_string();
    latest(published.tip, published.url, manifest_sha256, published.bytes)
}

fn latest(tip: Tip, url: String, manifest_sha256: String, bytes: u64) -> LatestSnapshot {
    LatestSnapshot {
        height: tip.at.height.0,
        block_hash: tip.at.hash.to_string(),
        digest: tip.digest.to_string(),
        url,
        manifest_sha256,
        bytes,
        time: LatestSnapshot::now(),
    }
}

/// Why nothing was published, as the reason of a condition.
fn reason(error: &Error) -> &'static str {
    match error {
        Error::Denied { .. } => snapshot_reasons::STORAGE_DENIED,
        Error::Credentials { .. } => snapshot_reasons::CREDENTIALS_MISSING,
        Error::Unavailable { .. } => snapshot_reasons::STORAGE_UNAVAILABLE,
        _ => snapshot_reasons::PUBLISH_FAILED,
    }
}
