//! The database: rows by key and height, blocks, identity.
//!
//! Blocks are added and undone in atomic steps of one or many, see `commit` and `unwind`. A reader works on a snapshot,
//! so that neither commits nor unwinds change an answer it has begun. Nothing is read to write a row: rows carry the
//! height they were written at, and older ones stay, which makes every height readable.

mod commit;
mod convert;
mod copy;
mod error;
mod folder;
mod handle;
mod lineage;
mod merge_step;
mod merger;
mod open;
mod origin;
mod reader;
mod refusal;
mod rocks;
mod scan;
pub mod schema;
mod segments;
mod shared;
#[cfg(test)]
mod tests;
mod tuning;
mod unwind;
mod vacancy;
pub mod verify;

pub use commit::NewBlock;
pub use copy::{Copied, Links, is_file_name, prepare, remove};
pub use error::Error;
pub use handle::{Stats, Store};
pub use lineage::{Lineage, Step, Terms};
pub use merger::Merging;
pub use open::Limits;
pub use reader::{Reader, SnapshotReader};
pub use refusal::Refusal;
pub use rocks::{Durability, FamilyStats};
pub use scan::{Found, Scan};
pub use schema::BlockRow;
pub use shared::Tip;
pub use vacancy::Vacancy;
