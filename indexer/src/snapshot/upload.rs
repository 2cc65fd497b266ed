//! Uploads one file, which must be what it was hashed as.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use object_store::WriteMultipart;
use sha2::Digest as _;

use super::{Error, error, manifest, pace::Pace, place::Place, sha256::Sha256};

/// A file up to this length goes as one; a longer one in parts of it. It must be 5 MiB at least for S3.
const PART_BYTES: u64 = 8 << 20;
/// S3 takes 10,000 parts: those of longer files are longer.
const PARTS_MAX: u64 = 9_000;
/// Parts under way: enough to keep a network busy, little enough to hold beside an index.
const PARTS_AHEAD: usize = 3;

/// A file that is read part by part.
struct Reading {
    path: PathBuf,
    file: File,
    hasher: sha2::Sha256,
    left: u64,
}

/// Uploads a file. `progress` is called with the number of bytes that went.
///
/// # Errors
/// What the storage says. [`Error::File`] if it is another one than was hashed: nothing of it is kept.
pub(super) async fn upload(
    place: &Place,
    path: &Path,
    file: &manifest::File,
    pace: &mut Pace,
    mut progress: impl FnMut(u64),
) -> Result<(), Error> {
    let changed = || Error::File {
        name: file.name.clone(),
        url: place.file_url(file.sha256),
        what: format!(
            "{} is not what it was when it was hashed: check the disk",
            path.display()
        ),
    };
    let reading = Reading::open(path.into(), file.bytes)?;
    if file.bytes <= PART_BYTES {
        let (reading, bytes) = reading.next(file.bytes).await?;
        if reading.sha256() != file.sha256 {
            return Err(changed());
        }
        pace.take(file.bytes).await;
        place.put(file.sha256, bytes).await?;
        progress(file.bytes);
        return Ok(());
    }
    let part_bytes = PART_BYTES.max(file.bytes.div_ceil(PARTS_MAX));
    let part_length = usize::try_from(part_bytes).unwrap_or(usize::MAX);
    let begun = place.put_parts(file.sha256).await?;
    let mut parts = WriteMultipart::new_with_chunk_size(begun, part_length);
    let url = place.file_url(file.sha256);
    let sent = async {
        let mut reading = reading;
        while reading.left > 0 {
            let bytes;
            (reading, bytes) = reading.next(part_bytes).await?;
            pace.take(bytes.len() as u64).await;
            place
                .within("write", &url, parts.wait_for_capacity(PARTS_AHEAD))
                .await?;
            parts.put(bytes);
            progress(file.bytes - reading.left);
        }
        if reading.sha256() == file.sha256 {
            Ok(())
        } else {
            Err(changed())
        }
    };
    let sent = sent.await;
    match sent {
        Ok(()) => place.within("write", &url, parts.finish()).await.map(|_| ()),
        Err(error) => {
            // What was sent is no object, and costs until it is removed: here, else by a rule of the bucket.
            let _ = place.within("write", &url, parts.abort()).await;
            Err(error)
        }
    }
}

impl Reading {
    fn open(path: PathBuf, bytes: u64) -> Result<Self, Error> {
        let file = File::open(&path).map_err(error::folder("open", &path))?;
        Ok(Self {
            path,
            file,
            hasher: sha2::Sha256::new(),
            left: bytes,
        })
    }

    /// The next bytes, at most so many.
    async fn next(mut self, most: u64) -> Result<(Self, Bytes), Error> {
        let read = tokio::task::spawn_blocking(move || {
            let length = usize::try_from(most.min(self.left)).unwrap_or(usize::MAX);
            let mut bytes = vec![0; length];
            self.file
                .read_exact(&mut bytes)
                .map_err(error::folder("read", &self.path))?;
            self.hasher.update(&bytes);
            self.left -= length as u64;
            Ok((self, bytes.into()))
        });
        read.await?
    }

    fn sha256(&self) -> Sha256 {
        self.hasher.clone().into()
    }
}
