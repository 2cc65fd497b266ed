//! Rows on disk: sorted files that never change, look-ups of a key as of a height, and their merging.
//!
//! A commit writes one file, a *segment*. Runs of segments are merged into larger ones, a segment at a time, so that few
//! files have to be asked. What belongs to a store is not noted here but by whoever owns the database, in its batches.

mod block;
mod cursor;
mod error;
mod filter;
mod footer;
mod index;
pub mod key;
mod memory;
mod merge;
pub mod plan;
mod room;
mod runs;
mod segment;
#[cfg(test)]
mod tests;
mod varint;
mod writer;

pub use self::{
    block::Codec,
    cursor::Cursor,
    error::{Error, is_for_want_of_room},
    memory::Memory,
    merge::Merge,
    room::{DiskSpace, Room},
    runs::{Place, Placed, Run, Runs, Space},
    segment::Segment,
    writer::Writer,
};
