//! Walks the keys with a prefix, as of a height, each with its value and the height at which that was written.

use super::{error::Error, reader::SnapshotReader};
use crate::{
    chain::Height,
    rows::{
        Merge,
        key::{behind, parse_row_key, row_prefix, write_row_key, write_row_start},
    },
};

/// Rows of other heights of one key that are passed one by one. Then they are jumped over, which asks every run again
/// and costs as much as some hundred rows.
const PASSED_MAX: u32 = 500;

/// A walk over the keys with a prefix, as of a height: shorter keys first, those of one length in the order of their
/// bytes, as rows lie.
pub struct Scan<'a> {
    snapshot: &'a SnapshotReader,
    at: Height,
    prefix: &'a [u8],
    rows: Merge,
    /// Rows may be left, and `rows` is at the next one that was not looked at.
    is_at_row: bool,
    /// The key of the row that was looked at last, of a guest key that has the prefix; empty: there was none.
    last: Vec<u8>,
}

/// What a step of a scan came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A key and its value.
    Value {
        /// The guest key.
        key: &'a [u8],
        /// The height at which the value was written.
        height: Height,
        /// The value.
        value: &'a [u8],
    },
    /// Some rows were passed: of keys without the prefix, of other heights.
    Passed,
    /// There are no more keys.
    End,
}

impl SnapshotReader {
    /// Walks the keys with a prefix, from the first one after `after` on, which must have the prefix and need not be
    /// there.
    ///
    /// # Errors
    /// [`Error::Rows`].
    pub fn scan<'a>(&'a self, at: Height, prefix: &'a [u8], after: Option<&[u8]>) -> Result<Scan<'a>, Error> {
        let mut from = Vec::new();
        match after {
            Some(after) => {
                write_row_key(&mut from, after, Height(0));
                from = behind(&from);
            }
            None => write_row_start(&mut from, prefix.len(), prefix),
        }
        let mut scan = Scan {
            snapshot: self,
            at,
            prefix,
            rows: Merge::near(&[], &[])?,
            is_at_row: false,
            last: Vec::new(),
        };
        scan.seek(&from)?;
        Ok(scan)
    }
}

impl Scan<'_> {
    /// Goes to the next key, or some way towards it: a step takes a bounded time, however many rows there are.
    ///
    /// # Errors
    /// [`Error::Rows`].
    pub fn step(&mut self) -> Result<Found<'_>, Error> {
        if !self.last.is_empty() && !self.leave_key()? {
            return Ok(if self.is_at_row { Found::Passed } else { Found::End });
        }
        if !self.is_at_row {
            return Ok(Found::End);
        }
        let row = self.rows.key();
        let (key, height) = parse(row)?;
        if !key.starts_with(self.prefix) {
            // All keys of a length that have the prefix lie together: before this one, or after it.
            let length = (key.len() + usize::from(key > self.prefix)).max(self.prefix.len());
            let mut from = Vec::new();
            write_row_start(&mut from, length, self.prefix);
            self.seek(&from)?;
            return Ok(Found::Passed);
        }
        self.last.clear();
        self.last.extend_from_slice(row);
        if height > self.at && !self.reach_height()? {
            return Ok(Found::Passed);
        }
        let (key, height) = parse(&self.last)?;
        let value = self.rows.value();
        Ok(Found::Value { key, height, value })
    }

    /// The last key with the prefix that was come to, whether it had a value or not; none before the first one.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        let (key, _) = parse_row_key(&self.last)?;
        Some(key)
    }

    /// Goes behind the rows of the last key. False: it came behind them by a jump, or there is nothing behind.
    fn leave_key(&mut self) -> Result<bool, Error> {
        for _ in 0..PASSED_MAX {
            if !self.is_at_row || row_prefix(self.rows.key()) != row_prefix(&self.last) {
                return Ok(self.is_at_row);
            }
            self.is_at_row = self.rows.next()?;
        }
        let (key, _) = parse(&self.last)?;
        let mut from = Vec::new();
        write_row_key(&mut from, key, Height(0));
        self.seek(&behind(&from))?;
        Ok(false)
    }

    /// Goes to the newest row of the last key that is not above the scan's height. False: there is none.
    fn reach_height(&mut self) -> Result<bool, Error> {
        for passed in 0.. {
            if !self.is_at_row || row_prefix(self.rows.key()) != row_prefix(&self.last) {
                return Ok(false);
            }
            if parse(self.rows.key())?.1 <= self.at {
                self.last.clear();
                self.last.extend_from_slice(self.rows.key());
                return Ok(true);
            }
            if passed == PASSED_MAX {
                let (key, _) = parse(&self.last)?;
                let mut from = Vec::new();
                write_row_key(&mut from, key, self.at);
                self.seek(&from)?;
            } else {
                self.is_at_row = self.rows.next()?;
            }
        }
        Ok(false)
    }

    fn seek(&mut self, from: &[u8]) -> Result<(), Error> {
        let runs = self.snapshot.runs().runs();
        // Those above the height have nothing to say.
        let runs = runs.iter().filter(|run| run.heights().0 <= self.at);
        self.rows = Merge::near(runs, from)?;
        self.is_at_row = self.rows.next()?;
        Ok(())
    }
}

fn parse(row_key: &[u8]) -> Result<(&[u8], Height), Error> {
    parse_row_key(row_key).ok_or_else(|| Error::Damaged {
        what: format!("a row has a key of {} bytes that is none", row_key.len()),
    })
}
