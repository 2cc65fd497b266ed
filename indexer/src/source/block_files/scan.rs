//! Finds the blocks in a node's files: `blk00000.dat` and on.
//!
//! ```text
//!   magic of the network (4) ‖ size, little-endian (4) ‖ block (size)      one after the other, then perhaps zeros
//! ```
//!
//! From Bitcoin Core 28 on every byte is xored with one of the 8 of `xor.dat`, by its position in the file; the zeros
//! that the node reserves at the end of a file are not.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use bitcoin::{Target, block::Header, consensus::deserialize};
use crds::Network;

use super::{
    error::Error,
    index::{Place, Record},
};
use crate::chain::{self, BlockRef, Height};

/// Magic and size.
const HEAD_BYTES: usize = 8;
const HEADER_BYTES: usize = 80;
/// Read at a time: a page. Bodies of small blocks come along with it, those of large ones are stepped over.
const WINDOW_BYTES: usize = 4096;
/// The longest block: the consensus limit.
const BLOCK_BYTES_MAX: u32 = 4_000_000;

/// What the bytes of the files were xored with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key([u8; 8]);

/// Looks through a folder again and again, each time at what is new.
pub(super) struct Scanner {
    folder: PathBuf,
    network: Network,
    magic: [u8; 4],
    easiest: Target,
    key: Key,
    files: BTreeMap<u32, Seen>,
}

/// How far a file was read.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Where the next record will begin.
    end: u64,
    /// Nothing will come: the node continues in another file, and this one was cut at its last record.
    is_complete: bool,
}

/// What follows the last record.
enum Tail {
    /// Nothing, reserved space, or a record of which not all is there.
    Open,
    /// Neither a record nor zeros.
    Foreign([u8; 4]),
}

impl Key {
    /// Puts bytes from this position of a file into clear, or back.
    pub(super) fn unmask(self, bytes: &mut [u8], position: u64) {
        if self == Self::default() {
            return;
        }
        let mut key = self.0;
        key.rotate_left((position % 8) as usize);
        for chunk in bytes.chunks_mut(8) {
            for (byte, mask) in chunk.iter_mut().zip(key) {
                *byte ^= mask;
            }
        }
    }
}

impl Scanner {
    pub(super) fn new(folder: &Path, network: Network) -> Self {
        let params = chain::params(network);
        Self {
            folder: folder.into(),
            network,
            magic: params.network.magic().to_bytes(),
            easiest: params.max_attainable_target,
            key: Key::default(),
            files: BTreeMap::new(),
        }
    }

    /// The key, as of the last look.
    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// The next look begins this file anew.
    pub(super) fn forget(&mut self, file: u32) {
        self.files.remove(&file);
    }

    /// Gives `found` the blocks that have come since the last look, file by file.
    ///
    /// For mainnet the first look is 900,000 reads of a page in 5,000 files: a minute on a solid-state disk.
    pub(super) fn look(&mut self, mut found: impl FnMut(Vec<Record>)) -> Result<(), Error> {
        let numbers = self.numbers()?;
        self.key = read_key(&self.folder)?;
        let is_first = self.files.is_empty();
        if is_first {
            tracing::info!(folder = %self.folder.display(), files = numbers.len(), "looking for blocks in files");
        }
        self.files.retain(|number, _| numbers.binary_search(number).is_ok());
        let mut blocks = 0;
        for number in &numbers {
            let seen = self.files.get(number).copied().unwrap_or_default();
            if seen.is_complete {
                continue;
            }
            let is_last = numbers.last() == Some(number);
            let (records, seen) = self.file(*number, seen, is_last)?;
            self.files.insert(*number, seen);
            blocks += records.len();
            found(records);
        }
        if is_first {
            tracing::info!(blocks, "blocks found in files");
        }
        Ok(())
    }

    /// Numbers of the files, in order.
    fn numbers(&self) -> Result<Vec<u32>, Error> {
        let missing = |source| Error::NoFolder {
            path: self.folder.clone(),
            source,
        };
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(missing)? {
            numbers.extend(entry.map_err(missing)?.file_name().to_str().and_then(number));
        }
        numbers.sort_unstable();
        if numbers.is_empty() {
            return Err(Error::NoFiles {
                path: self.folder.clone(),
            });
        }
        Ok(numbers)
    }

    /// The new records of one file.
    fn file(&self, number: u32, mut seen: Seen, is_last: bool) -> Result<(Vec<Record>, Seen), Error> {
        let path = file_path(&self.folder, number);
        let unreadable = |source| Error::Read {
            path: path.clone(),
            source,
        };
        let file = match File::open(&path) {
            // Pruned since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Seen::default())),
            opened => opened.map_err(unreadable)?,
        };
        let length = file.metadata().map_err(unreadable)?.len();
        if length < seen.end {
            seen = Seen::default();
        }
        let mut records = Vec::new();
        let tail = self.records(&file, number, length, &mut seen.end, &mut records);
        match tail.map_err(unreadable)? {
            Tail::Foreign(found) if seen.end == 0 => {
                return Err(Error::Foreign {
                    path,
                    network: self.network,
                    found: hex::encode(found),
                });
            }
            // A node that was killed leaves parts of blocks at the end, and writes over them when it runs again.
            Tail::Foreign(_) | Tail::Open => seen.is_complete = !is_last && seen.end == length,
        }
        // The node may be writing the last one just now.
        if !seen.is_complete
            && let Some(last) = records.last()
            && !self.is_whole(&file, last).map_err(unreadable)?
        {
            seen.end = u64::from(last.place.offset) - HEAD_BYTES as u64;
            records.pop();
        }
        Ok((records, seen))
    }

    /// Reads records from `end` on, which moves along.
    fn records(
        &self,
        file: &File,
        number: u32,
        length: u64,
        end: &mut u64,
        records: &mut Vec<Record>,
    ) -> io::Result<Tail> {
        let mut window = Window::default();
        loop {
            let Some(raw) = window.at(file, *end)? else {
                return Ok(Tail::Open);
            };
            let mut clear = raw;
            self.key.unmask(&mut clear, *end);
            let (magic, rest) = (clear.first_chunk::<4>(), &clear[4..]);
            if magic != Some(&self.magic) {
                let is_padding = raw[..HEAD_BYTES] == [0; HEAD_BYTES];
                let found = magic.copied().unwrap_or_default();
                return Ok(if is_padding { Tail::Open } else { Tail::Foreign(found) });
            }
            let size = rest.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let offset = *end + HEAD_BYTES as u64;
            // No node writes files of 4 GiB.
            let (true, Ok(start)) = ((81..=BLOCK_BYTES_MAX).contains(&size), u32::try_from(offset)) else {
                return Ok(Tail::Foreign(self.magic));
            };
            if offset + u64::from(size) > length {
                return Ok(Tail::Open);
            }
            *end = offset + u64::from(size);
            let place = Place {
                file: number,
                offset: start,
                size,
            };
            records.extend(self.record(&clear[HEAD_BYTES..], place));
        }
    }

    /// None if the header does not carry the work it claims: no node stores such a block.
    fn record(&self, header: &[u8], place: Place) -> Option<Record> {
        let header: Header = deserialize(header).ok()?;
        let (hash, target) = (header.block_hash(), header.target());
        (target <= self.easiest && target.is_met_by(hash)).then_some(Record { hash, header, place })
    }

    /// Whether all of a block is there.
    fn is_whole(&self, file: &File, record: &Record) -> io::Result<bool> {
        let mut bytes = vec![0; record.place.size as usize];
        file.read_exact_at(&mut bytes, record.place.offset.into())?;
        self.key.unmask(&mut bytes, record.place.offset.into());
        // Any height does: it is not known yet, and decides about less than what is asked here.
        let at = BlockRef {
            height: Height(0),
            hash: record.hash,
        };
        Ok(chain::check_block(bytes.into(), at, self.network).is_ok())
    }
}

/// A part of a file in memory.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    start: u64,
}

impl Window {
    /// The bytes of a record up to the end of its header; none if the file has not so many.
    fn at(&mut self, file: &File, position: u64) -> io::Result<Option<[u8; HEAD_BYTES + HEADER_BYTES]>> {
        if let Some(found) = self.get(position) {
            return Ok(Some(found));
        }
        self.bytes.resize(WINDOW_BYTES, 0);
        self.start = position;
        let mut filled = 0;
        while filled < WINDOW_BYTES {
            match file.read_at(&mut self.bytes[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.truncate(filled);
        Ok(self.get(position))
    }

    fn get(&self, position: u64) -> Option<[u8; HEAD_BYTES + HEADER_BYTES]> {
        let from = usize::try_from(position.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..)?.first_chunk().copied()
    }
}

/// The file of a number.
pub(super) fn file_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("blk{number:05}.dat"))
}

/// The number of a file, if it is one of blocks.
fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("blk")?.strip_suffix(".dat")?;
    let number = digits.parse().ok()?;
    (format!("{number:05}") == digits).then_some(number)
}

/// Nodes before Bitcoin Core 28 have no such file and do not xor.
fn read_key(folder: &Path) -> Result<Key, Error> {
    let path = folder.join("xor.dat");
    match fs::read(&path) {
        Ok(bytes) => match bytes.try_into() {
            Ok(key) => Ok(Key(key)),
            Err(_) => Err(Error::Key { path }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Key::default()),
        Err(source) => Err(Error::Read { path, source }),
    }
}
