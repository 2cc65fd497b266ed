//! A file of sorted rows that never changes.

use std::{
    fmt,
    fs::{self, File},
    io::{self, IoSliceMut},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use rustix::io::{ReadWriteFlags, preadv2};

use super::{
    block::{Found, seek, unpack},
    error::{Damaged, Error, failed},
    filter::{self, Filter, LINE_BYTES},
    footer::{FOOTER_BYTES, Footer},
    index::Index,
    key::{HEIGHT_BYTES, row_prefix},
    memory::{Memory, Share},
    writer::checksum,
};
use crate::chain::Height;

/// An open segment. The file goes with the last of its users once it is [doomed](Self::doom).
pub struct Segment {
    /// Its number among the segments of its store.
    id: u64,
    path: PathBuf,
    file: File,
    bytes: u64,
    footer: Footer,
    index: Index,
    filter: Kept,
    /// What index and filter take of the memory there is for them.
    _share: Share,
    doomed: AtomicBool,
}

/// Where the filter is.
enum Kept {
    /// In memory.
    Memory(Filter),
    /// In the file alone, for want of memory: each question reads a line of it.
    File { lines: usize },
}

/// What one thread needs to read blocks, kept from read to read.
#[derive(Default)]
pub(super) struct Scratch {
    /// A read waited for the disk since this was set to false.
    pub(super) waited: bool,
    block: Vec<u8>,
    rows: Vec<u8>,
}

impl Segment {
    /// Opens a file that [`super::Writer`] wrote.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::Damaged`] if it is not what was written.
    pub fn open(id: u64, path: &Path, memory: &Memory) -> Result<Self, Error> {
        let open = || -> io::Result<_> {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            let mut footer = [0; FOOTER_BYTES];
            file.read_exact_at(&mut footer, bytes.saturating_sub(FOOTER_BYTES as u64))?;
            Ok((file, bytes, footer))
        };
        let (file, bytes, footer) = open().map_err(failed("open", path))?;
        let damaged = |what| Error::Damaged {
            path: path.into(),
            what,
        };
        let footer = Footer::decode(&footer, bytes).ok_or_else(|| damaged("its footer is wrong"))?;
        let rest = bytes - FOOTER_BYTES as u64 - footer.index_at;
        let mut rest = vec![0; usize::try_from(rest).map_err(|_| damaged("its index is too large"))?];
        file.read_exact_at(&mut rest, footer.index_at)
            .map_err(failed("read", path))?;
        let index_bytes = usize::try_from(footer.filter_at - footer.index_at).unwrap_or(usize::MAX);
        let (index, filter) = rest.split_at(index_bytes);
        if checksum(index, filter) != footer.checksum {
            return Err(damaged("the checksum of its index is wrong"));
        }
        let index = Index::decode(index, footer.index_at).ok_or_else(|| damaged("its index is cut"))?;
        let mut share = memory.take(index.held_bytes());
        let filter = match share.add(filter.len()) {
            true => Kept::Memory(Filter::from_bytes(filter)),
            false => Kept::File {
                lines: filter.len() / LINE_BYTES,
            },
        };
        Ok(Self {
            id,
            path: path.into(),
            file,
            bytes,
            footer,
            index,
            filter,
            _share: share,
            doomed: AtomicBool::new(false),
        })
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows in it.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.footer.rows
    }

    /// The lowest and the highest height of a row in it.
    #[must_use]
    pub fn heights(&self) -> (Height, Height) {
        (self.footer.lowest, self.footer.highest)
    }

    /// The key of its first row.
    #[must_use]
    pub fn first_key(&self) -> &[u8] {
        self.index.first_key()
    }

    /// The key of its last row.
    #[must_use]
    pub fn last_key(&self) -> &[u8] {
        self.index.last_key()
    }

    /// Whether its filter is in memory.
    #[must_use]
    pub fn filter_in_memory(&self) -> bool {
        matches!(self.filter, Kept::Memory(_))
    }

    /// No store names the file any more.
    pub fn doom(&self) {
        self.doomed.store(true, Relaxed);
    }

    /// False: no row has a key of this hash.
    pub(super) fn may_hold(&self, hash: u64, scratch: &mut Scratch) -> Result<bool, Error> {
        match &self.filter {
            Kept::Memory(filter) => Ok(filter.may_hold(hash)),
            Kept::File { lines: 0 } => Ok(true),
            Kept::File { lines } => {
                let mut line = [0; LINE_BYTES];
                let at = self.footer.filter_at + (filter::line_of(hash, *lines) * LINE_BYTES) as u64;
                scratch.waited |= self.read_at(&mut line, at)?;
                Ok(filter::line_may_hold(&filter::line(&line), hash))
            }
        }
    }

    /// The first row at or behind a key if it is one of the same guest key: its height, and its value by `take`.
    pub(super) fn get<T>(
        &self,
        row_key: &[u8],
        scratch: &mut Scratch,
        take: impl FnOnce(Height, &[u8]) -> T,
    ) -> Result<Option<T>, Error> {
        let mut block = self.index.block_of(row_key);
        loop {
            let rows = self.block(block, scratch)?;
            match seek(rows, row_key).map_err(|damaged| self.damaged(damaged))? {
                Found::Row { shared, rest, value } => {
                    let height = height_behind(row_key, shared, rest);
                    return Ok(height.map(|height| take(height, value)));
                }
                Found::Behind => block += 1,
            }
            // The next block begins behind the key; only if it can begin with the same guest key is it worth a look.
            if block >= self.index.len() || !can_begin_with(self.index.separator(block), row_prefix(row_key)) {
                return Ok(None);
            }
        }
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The rows of a block.
    fn block<'a>(&self, block: usize, scratch: &'a mut Scratch) -> Result<&'a [u8], Error> {
        let (offset, length) = self.index.place(block);
        scratch.block.resize(length, 0);
        scratch.waited |= self.read_at(&mut scratch.block, offset)?;
        unpack(&scratch.block, &mut scratch.rows).map_err(|damaged| self.damaged(damaged))
    }

    /// Reads from the page cache if all of it is there, else from the disk. True: it waited for the disk.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<bool, Error> {
        let cached = preadv2(
            &self.file,
            &mut [IoSliceMut::new(buffer)],
            offset,
            ReadWriteFlags::NOWAIT,
        );
        if cached == Ok(buffer.len()) {
            return Ok(false);
        }
        self.file
            .read_exact_at(buffer, offset)
            .map_err(failed("read", &self.path))?;
        Ok(true)
    }

    /// Reads bytes of blocks, for going through all of them.
    pub(super) fn read_through(&self, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(failed("read", &self.path))
    }

    pub(super) fn damaged(&self, Damaged(what): Damaged) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            what,
        }
    }
}

/// The height of a row that shares `shared` bytes with `wanted` and ends in `rest`, if it has the same guest key.
fn height_behind(wanted: &[u8], shared: usize, rest: &[u8]) -> Option<Height> {
    let prefix = row_prefix(wanted).len();
    if shared + rest.len() != wanted.len() {
        return None;
    }
    let byte = |at: usize| if at < shared { wanted[at] } else { rest[at - shared] };
    if (shared..prefix).any(|at| byte(at) != wanted[at]) {
        return None;
    }
    let mut inverted = [0; HEIGHT_BYTES];
    for (to, at) in inverted.iter_mut().zip(prefix..) {
        *to = byte(at);
    }
    Some(Height(!u32::from_be_bytes(inverted)))
}

/// Whether keys from this separator on can begin with a prefix.
fn can_begin_with(separator: &[u8], prefix: &[u8]) -> bool {
    let shown = separator.len().min(prefix.len());
    separator[..shown] <= prefix[..shown]
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.doomed.load(Relaxed)
            && let Err(error) = fs::remove_file(&self.path)
        {
            // The next start removes what no store names.
            tracing::warn!(file = %self.path.display(), %error, "cannot remove rows that were merged");
        }
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
