//! The rows of several runs in one order.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, binary_heap::PeekMut},
    sync::Arc,
};

use super::{
    cursor::Cursor,
    error::Error,
    runs::{Placed, Run},
};

/// Rows of runs, by key; of one guest key the newest first.
pub struct Merge {
    /// The one with the least key on top.
    sources: BinaryHeap<Reverse<Source>>,
    has_begun: bool,
    open: Open,
}

/// Begins to read a segment.
type Open = fn(&Arc<Placed>, &[u8]) -> Cursor;

/// The rest of one run, which is at a row.
struct Source {
    /// The segments after the one that is read, the next one last.
    next: Vec<Arc<Placed>>,
    cursor: Cursor,
}

impl Merge {
    /// Before the first row at or behind a key of these runs, to go through many.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    pub fn new<'a>(runs: impl IntoIterator<Item = &'a Run>, from: &[u8]) -> Result<Self, Error> {
        Self::opened(runs, from, Cursor::new)
    }

    /// Before the first row at or behind a key of these runs, to look at a few.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    pub fn near<'a>(runs: impl IntoIterator<Item = &'a Run>, from: &[u8]) -> Result<Self, Error> {
        Self::opened(runs, from, Cursor::near)
    }

    fn opened<'a>(runs: impl IntoIterator<Item = &'a Run>, from: &[u8], open: Open) -> Result<Self, Error> {
        let mut sources = BinaryHeap::new();
        for run in runs {
            let mut next: Vec<_> = run.segments().to_vec();
            next.retain(|placed| placed.segment().last_key() >= from);
            next.reverse();
            if let Some(cursor) = first_row(&mut next, from, open)? {
                sources.push(Reverse(Source { next, cursor }));
            }
        }
        Ok(Self {
            sources,
            has_begun: false,
            open,
        })
    }

    /// Goes to the next row. False: there is none.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    #[allow(clippy::should_implement_trait)] // What it gives is lent.
    pub fn next(&mut self) -> Result<bool, Error> {
        if !self.has_begun {
            self.has_begun = true;
        } else if let Some(mut top) = self.sources.peek_mut() {
            // Put where it belongs when it is no longer looked at.
            let source = &mut top.0;
            if !source.cursor.next()? {
                match first_row(&mut source.next, &[], self.open)? {
                    Some(cursor) => source.cursor = cursor,
                    None => drop(PeekMut::pop(top)),
                }
            }
        }
        Ok(!self.sources.is_empty())
    }

    /// The key of the row it is at.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.sources.peek().map_or(&[], |top| top.0.cursor.key())
    }

    /// The value of the row it is at.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.sources.peek().map_or(&[], |top| top.0.cursor.value())
    }
}

/// The first row, at or behind a key, of the next segment that has one.
fn first_row(next: &mut Vec<Arc<Placed>>, from: &[u8], open: Open) -> Result<Option<Cursor>, Error> {
    while let Some(placed) = next.pop() {
        let mut cursor = open(&placed, from);
        if cursor.first()? {
            return Ok(Some(cursor));
        }
    }
    Ok(None)
}

impl Ord for Source {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cursor.key().cmp(other.cursor.key())
    }
}

impl PartialOrd for Source {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.cursor.key() == other.cursor.key()
    }
}

impl Eq for Source {}
