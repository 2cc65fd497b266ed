//! Flags of `snapshot`.

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use clap::{Args, Subcommand, ValueEnum};
use crds::{Network, TimeSpan, quantity::ParseError};

use super::{
    folder::FolderFlags,
    reach::parse_network,
    run::{byte_size, time_span},
};
use crate::snapshot::{Pace, place::Access, plan::Retention, publish::GRACE, restore::Check, sha256::Sha256};

/// What is done with snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Publish an index that is not running. Uploads only what the snapshot before does not have.
    Create(CreateFlags),
    /// List the snapshots of a prefix, the newest last.
    List(ListFlags),
    /// Make an empty folder an index. Killed or cut off, the same command continues where it was.
    Restore(RestoreFlags),
    /// Read a snapshot and compare every file with its manifest.
    Verify(VerifyFlags),
}

/// Flags of `snapshot create`.
#[derive(Debug, Args)]
pub struct CreateFlags {
    /// Below which it is published: `s3://BUCKET/PREFIX` or `file:///FOLDER`.
    pub url: String,
    /// Which index.
    #[command(flatten)]
    pub folder: FolderFlags,
    /// Keep so many snapshots of this index and remove older ones, then files that no snapshot names [default: all].
    #[arg(long, value_name = "N")]
    pub keep: Option<NonZeroU32>,
    /// With --keep: files that no snapshot names stay for this long, since they may belong to one that is being published
    /// [default: 24h].
    #[arg(long, value_name = "TIME", value_parser = time_span, requires = "keep")]
    pub grace: Option<TimeSpan>,
    /// How the storage is contacted.
    #[command(flatten)]
    pub access: AccessFlags,
}

/// Flags of `snapshot list`.
#[derive(Debug, Args)]
pub struct ListFlags {
    /// The prefix: `s3://BUCKET/PREFIX` or `file:///FOLDER`.
    pub url: String,
    /// How the storage is contacted.
    #[command(flatten)]
    pub access: AccessFlags,
}

/// Flags of `snapshot restore`.
#[derive(Debug, Args)]
pub struct RestoreFlags {
    /// The snapshot, as `list` shows it: `PREFIX/HEIGHT`.
    pub url: String,
    /// Which index.
    #[command(flatten)]
    pub folder: FolderFlags,
    /// What is checked before it is used.
    #[arg(long, value_enum, default_value_t)]
    pub verify: VerifyDepth,
    /// What it must be.
    #[command(flatten)]
    pub wanted: WantedFlags,
    /// How the storage is contacted.
    #[command(flatten)]
    pub access: AccessFlags,
}

/// Flags of `snapshot verify`.
#[derive(Debug, Args)]
pub struct VerifyFlags {
    /// The snapshot, as `list` shows it: `PREFIX/HEIGHT`.
    pub url: String,
    /// Also compute every digest once more from the rows, for which the snapshot is downloaded.
    #[arg(long, requires = "scratch")]
    pub digests: bool,
    /// Folder for that download, on a disk with room for all of it.
    #[arg(long, value_name = "DIR", requires = "digests")]
    pub scratch: Option<PathBuf>,
    /// What it must be.
    #[command(flatten)]
    pub wanted: WantedFlags,
    /// How the storage is contacted.
    #[command(flatten)]
    pub access: AccessFlags,
}

/// What a snapshot must be.
#[derive(Debug, Default, Args)]
pub struct WantedFlags {
    /// SHA-256 of the snapshot's manifest, which pins all of its bytes.
    #[arg(long, value_name = "HEX")]
    pub manifest_sha256: Option<Sha256>,
    /// SHA-256 of the module that built it.
    #[arg(long, value_name = "HEX")]
    pub module_sha256: Option<Sha256>,
    /// Its network.
    #[arg(long, value_parser = parse_network)]
    pub network: Option<Network>,
}

/// How an object storage is contacted. Credentials come from the environment or from files, never from here.
#[derive(Debug, Default, Args)]
pub struct AccessFlags {
    /// Address of an S3 server that is not Amazon's: http://HOST:PORT or https://HOST:PORT
    /// [default: the variable `AWS_ENDPOINT_URL`].
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Region of the bucket [default: the variable `AWS_REGION`, else us-east-1].
    #[arg(long)]
    pub region: Option<String>,
    /// Folder with the files `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, where there is one, `AWS_SESSION_TOKEN`
    /// [default: variables of these names, else the role of the machine].
    #[arg(long, value_name = "DIR")]
    pub credentials_dir: Option<PathBuf>,
    /// Contact servers without TLS if their address says http://.
    #[arg(long)]
    pub allow_http: bool,
    /// Send or receive no more than this each second, on average over a few megabytes, such as 20Mi [default: no bound].
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    pub max_bytes_per_second: Option<NonZeroU64>,
}

/// What of a snapshot is checked before it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum VerifyDepth {
    /// Every file is the one that the manifest names.
    #[default]
    Files,
    /// Also every digest is computed once more from the rows.
    Digests,
}

impl CreateFlags {
    /// Which snapshots stay; none: all.
    #[must_use]
    pub fn retention(&self) -> Option<Retention> {
        // It was checked when it was parsed.
        let grace = self.grace.as_ref().and_then(|grace| grace.duration().ok());
        Some(Retention {
            keep: self.keep?,
            grace: grace.unwrap_or(GRACE),
        })
    }
}

impl AccessFlags {
    /// How the storage is contacted.
    #[must_use]
    pub fn access(&self) -> Access {
        Access {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            allow_http: self.allow_http,
            credentials_dir: self.credentials_dir.clone(),
        }
    }

    /// How fast.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::new(self.max_bytes_per_second)
    }
}

impl From<VerifyDepth> for Check {
    fn from(depth: VerifyDepth) -> Self {
        match depth {
            VerifyDepth::Files => Self::Files,
            VerifyDepth::Digests => Self::Digests,
        }
    }
}

fn rate(text: &str) -> Result<NonZeroU64, RateError> {
    let bytes = byte_size(text)?.bytes()?;
    NonZeroU64::new(bytes).ok_or(RateError::Zero)
}

/// Why a text is no number of bytes per second.
#[derive(Debug, thiserror::Error)]
enum RateError {
    #[error(transparent)]
    Size(#[from] ParseError),
    #[error("nothing would ever be sent")]
    Zero,
}
