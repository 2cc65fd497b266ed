//! Downloads one manifest or one file, each checked against its hash.

use std::time::Duration;

use sha2::Digest as _;

use super::{
    Error,
    manifest::{File, Manifest, Wanted},
    name::Name,
    pace::Pace,
    place::Place,
    sha256::Sha256,
};

/// How often a download that broke off is continued until so many bytes more have come. The storage's client has
/// continued it several times before that, where the server lets it.
const TRIES: u32 = 5;
const ENOUGH_BYTES: u64 = 1 << 20;
/// Pause after the first try; after each other one twice as long.
const PAUSE: Duration = Duration::from_secs(1);

/// How far a download is.
#[derive(Default)]
struct Download {
    hasher: sha2::Sha256,
    come: u64,
}

/// The manifest of a snapshot, judged.
///
/// # Errors
/// [`Error::Missing`], [`Error::Pinned`], [`Error::Malformed`], [`Error::Refused`]; what the storage says.
pub(super) async fn manifest(
    place: &Place,
    name: &Name,
    wanted: &Wanted,
    pinned: Option<Sha256>,
) -> Result<Manifest, Error> {
    let url = || place.snapshot_url(name);
    let bytes = place.manifest(name).await?;
    let bytes = bytes.ok_or_else(|| Error::Missing { url: url() })?;
    let found = Sha256::of(&bytes);
    if let Some(wanted) = pinned
        && wanted != found
    {
        let url = url();
        return Err(Error::Pinned { url, found, wanted });
    }
    let parsed = Manifest::parse(&bytes);
    let manifest = parsed.map_err(|source| Error::Malformed { url: url(), source })?;
    let judged = manifest.judge(wanted);
    judged.map_err(|refusal| Error::Refused { url: url(), refusal })?;
    Ok(manifest)
}

/// Downloads a file. `sink` takes its bytes, in order, with the position of each piece. A download that breaks off is
/// continued; from the start, where the server only sends whole files. `progress` is called with the number of bytes that
/// came.
///
/// # Errors
/// [`Error::File`] if it is another one; what the storage or the sink says.
pub(super) async fn file(
    place: &Place,
    file: &File,
    pace: &mut Pace,
    mut sink: impl FnMut(u64, &[u8]) -> Result<(), Error>,
    mut progress: impl FnMut(u64),
) -> Result<(), Error> {
    let mut download = Download::default();
    let (mut tries, mut pause) = (TRIES, PAUSE);
    loop {
        let before = download.come;
        let continued = download.go_on(place, file, pace, &mut sink, &mut progress).await;
        let Err(error) = continued else {
            return download.check(place, file);
        };
        match &error {
            Error::Unavailable { .. } => {}
            Error::Unsupported { .. } if before > 0 => download = Download::default(),
            _ => return Err(error),
        }
        if download.come >= before + ENOUGH_BYTES {
            (tries, pause) = (TRIES, PAUSE);
        }
        tries -= 1;
        if tries == 0 {
            return Err(error);
        }
        tracing::debug!(file = file.name, come = download.come, %error, "a download broke off");
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

impl Download {
    /// Downloads what has not come yet, as long as the server sends.
    async fn go_on(
        &mut self,
        place: &Place,
        file: &File,
        pace: &mut Pace,
        sink: &mut impl FnMut(u64, &[u8]) -> Result<(), Error>,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), Error> {
        if self.come > 0 && self.come == file.bytes {
            return Ok(());
        }
        let (bytes, mut pieces) = place.get(file.sha256, self.come).await?;
        if bytes != file.bytes {
            return Err(other(place, file, format!("it has {bytes} bytes, not {}", file.bytes)));
        }
        while let Some(piece) = place.next_piece(file.sha256, &mut pieces).await? {
            pace.take(piece.len() as u64).await;
            if piece.len() as u64 > file.bytes - self.come {
                return Err(other(place, file, format!("it has more than {} bytes", file.bytes)));
            }
            self.hasher.update(&piece);
            sink(self.come, &piece)?;
            self.come += piece.len() as u64;
            progress(self.come);
        }
        Ok(())
    }

    /// Whether what came is the file.
    fn check(self, place: &Place, file: &File) -> Result<(), Error> {
        if self.come != file.bytes {
            return Err(other(
                place,
                file,
                format!("it has {} bytes, not {}", self.come, file.bytes),
            ));
        }
        match Sha256::from(self.hasher) {
            found if found == file.sha256 => Ok(()),
            found => Err(other(place, file, format!("its SHA-256 is {found}"))),
        }
    }
}

fn other(place: &Place, file: &File, what: String) -> Error {
    Error::File {
        name: file.name.clone(),
        url: place.file_url(file.sha256),
        what,
    }
}
