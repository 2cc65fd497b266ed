//! `snapshot create|list|restore|verify`: copies of an index in an object storage.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use crate::{
    cli::args::{self, CreateFlags, ListFlags, RestoreFlags, SnapshotCommand, VerifyFlags, WantedFlags},
    snapshot::{
        self,
        manifest::{Manifest, Wanted},
        place::Place,
        publish::{Progress, Published, Publisher},
        restore::{Check, Restorer},
        sha256::Sha256,
        verify,
    },
    store::{self, Store},
};

/// Between two lines about how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Digits of a module's SHA-256 that tell it from any other.
const MODULE_DIGITS: usize = 12;

/// Why a command about snapshots did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The flags do not name an index.
    #[error(transparent)]
    Flags(#[from] args::Error),
    /// The index cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The snapshot cannot be made or used.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// The report cannot be written.
    #[error("write what was done")]
    Write(#[source] io::Error),
}

/// Does what a command says, and writes what was done.
///
/// # Errors
/// [`Error`].
pub async fn snapshot(command: SnapshotCommand, out: &mut impl Write) -> Result<(), Error> {
    match command {
        SnapshotCommand::Create(flags) => create(flags, out).await,
        SnapshotCommand::List(flags) => list(&flags, out).await,
        SnapshotCommand::Restore(flags) => restore(flags, out).await,
        SnapshotCommand::Verify(flags) => check(&flags, out).await,
    }
}

async fn create(flags: CreateFlags, out: &mut impl Write) -> Result<(), Error> {
    let retention = flags.retention();
    let place = Place::new(&flags.url, &flags.access.access())?;
    let mut pace = flags.access.pace();
    let index = flags.folder.index()?;
    let store = Store::open_existing(&index.store_dir())?;
    let publisher = Publisher {
        place,
        data_dir: index.data_dir,
        retention,
    };
    let mut telling = Telling::new("uploaded", out);
    let published = publisher
        .publish(&store, &mut pace, |progress| telling.tell(progress))
        .await?;
    telling.end()?;
    write_published(&published, out).map_err(Error::Write)
}

fn write_published(published: &Published, out: &mut impl Write) -> io::Result<()> {
    let (files, bytes) = published.uploaded;
    match published.was_there {
        true => line(out, "uploaded", "nothing: this snapshot was there")?,
        false => line(
            out,
            "uploaded",
            format!("{files} files, {bytes} of {} bytes", published.bytes),
        )?,
    }
    line(out, "snapshot", &published.url)?;
    line(out, "manifest", published.manifest_sha256)?;
    line(
        out,
        "block",
        format!("{} {}", published.tip.at.height, published.tip.at.hash),
    )?;
    line(out, "digest", published.tip.digest)?;
    let Some(tidied) = &published.tidied else {
        return Ok(());
    };
    for name in &tidied.snapshots {
        line(out, "removed", format!("snapshot {name}"))?;
    }
    match &tidied.unreadable {
        Some(name) => line(
            out,
            "kept",
            format!("all files: snapshot {name} cannot be read, and may name any"),
        ),
        None => line(out, "removed", format!("{} files that no snapshot names", tidied.files)),
    }
}

async fn list(flags: &ListFlags, out: &mut impl Write) -> Result<(), Error> {
    let place = Place::new(&flags.url, &flags.access.access())?;
    let mut found = 0;
    for name in place.names().await? {
        // Gone since, or a folder that is none of a snapshot.
        let Some(bytes) = place.manifest(&name).await? else {
            continue;
        };
        let url = place.snapshot_url(&name);
        let written = match Manifest::parse(&bytes) {
            Ok(manifest) => {
                let identity = manifest.lineage.newest();
                let module: String = identity.module_sha256.chars().take(MODULE_DIGITS).collect();
                let (network, size) = (identity.network, manifest.bytes());
                let pin = Sha256::of(&bytes);
                writeln!(out, "{url}  {network}  module {module}…  {size} bytes  manifest {pin}")
            }
            Err(error) => writeln!(out, "{url}  cannot be used: {error}"),
        };
        written.map_err(Error::Write)?;
        found += 1;
    }
    if found == 0 {
        writeln!(out, "no snapshots").map_err(Error::Write)?;
    }
    Ok(())
}

async fn restore(flags: RestoreFlags, out: &mut impl Write) -> Result<(), Error> {
    let (place, name) = Place::of_snapshot(&flags.url, &flags.access.access())?;
    let mut pace = flags.access.pace();
    let index = flags.folder.index()?;
    let restorer = Restorer {
        place,
        name,
        wanted: Wanted {
            identity: index.identity.clone(),
            ..wanted(&flags.wanted)
        },
        pinned: flags.wanted.manifest_sha256,
        check: flags.verify.into(),
        store_dir: index.store_dir(),
        data_dir: index.data_dir,
    };
    let mut telling = Telling::new("received", out);
    let manifest = restorer.restore(&mut pace, |progress| telling.tell(progress)).await?;
    telling.end()?;
    let checked = match restorer.check {
        Check::Files => "every file",
        Check::Digests => "every file and every digest",
    };
    line(out, "restored", restorer.store_dir.display()).map_err(Error::Write)?;
    write_manifest(&manifest, checked, out).map_err(Error::Write)
}

async fn check(flags: &VerifyFlags, out: &mut impl Write) -> Result<(), Error> {
    let (place, name) = Place::of_snapshot(&flags.url, &flags.access.access())?;
    let mut pace = flags.access.pace();
    let (wanted, pinned) = (wanted(&flags.wanted), flags.wanted.manifest_sha256);
    let mut telling = Telling::new("read", out);
    let tell = |progress| telling.tell(progress);
    let (manifest, checked) = match &flags.scratch {
        None => {
            let manifest = verify::files(&place, &name, &wanted, pinned, &mut pace, tell).await?;
            (manifest, "every file")
        }
        Some(scratch) => {
            let manifest = verify::digests(&place, &name, &wanted, pinned, scratch, &mut pace, tell).await?;
            (manifest, "every file and every digest")
        }
    };
    telling.end()?;
    write_manifest(&manifest, checked, out).map_err(Error::Write)
}

fn write_manifest(manifest: &Manifest, checked: &str, out: &mut impl Write) -> io::Result<()> {
    let identity = manifest.lineage.newest();
    let (files, bytes) = (manifest.files.len(), manifest.bytes());
    line(out, "verified", format!("{checked}: {files} files, {bytes} bytes"))?;
    line(
        out,
        "index",
        format!("{} from height {}", identity.network, identity.start_height),
    )?;
    line(out, "module", &identity.module_sha256)?;
    line(
        out,
        "block",
        format!("{} {}", manifest.tip.at.height, manifest.tip.at.hash),
    )?;
    line(out, "digest", manifest.tip.digest)
}

fn wanted(flags: &WantedFlags) -> Wanted {
    Wanted {
        identity: None,
        module_sha256: flags.module_sha256.map(String::from),
        network: flags.network,
    }
}

fn line(out: &mut impl Write, name: &str, value: impl std::fmt::Display) -> io::Result<()> {
    writeln!(out, "{name:<10} {value}")
}

/// Lines about how far it is.
struct Telling<'a, W> {
    what: &'static str,
    out: &'a mut W,
    told: Instant,
    written: io::Result<()>,
}

impl<'a, W: Write> Telling<'a, W> {
    fn new(what: &'static str, out: &'a mut W) -> Self {
        Self {
            what,
            out,
            told: Instant::now(),
            written: Ok(()),
        }
    }

    fn tell(&mut self, progress: Progress) {
        if self.told.elapsed() < TELL_EVERY || self.written.is_err() {
            return;
        }
        self.told = Instant::now();
        let (done, total) = (progress.done_bytes >> 20, progress.total_bytes >> 20);
        let written = line(self.out, self.what, format!("{done} of {total} MiB"));
        self.written = written.and_then(|()| self.out.flush());
    }

    /// A line that could not be written is the command's failure, once the rest is done.
    fn end(self) -> Result<(), Error> {
        self.written.map_err(Error::Write)
    }
}
