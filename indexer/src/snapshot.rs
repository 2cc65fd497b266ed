//! Copies of a store in an object storage: published while blocks are indexed, and restored elsewhere.
//!
//! ```text
//! PREFIX/files/SHA256                    files of stores, named by their hash, shared by all snapshots of the prefix
//! PREFIX/HEIGHT/manifest.json            a snapshot: what it is, and which files it has; written last
//! PREFIX/HEIGHT-REVISION/manifest.json   the same of another revision, where HEIGHT is taken
//! ```
//!
//! Files of rows never change, so what differs between two snapshots of one index is its new rows and the small
//! database beside them. [`publish`] uploads that, and removes what is no longer wanted; [`restore`] downloads into a
//! folder beside the store, which becomes the store only after every file is what the manifest says. [`begin`] does so
//! until it succeeds. [`manifest`], [`name`], [`plan`] and [`schedule`] decide; [`place`] knows the storage.

pub mod begin;
mod claim;
pub mod error;
mod fetch;
mod hashes;
pub mod manifest;
pub mod name;
mod pace;
pub mod place;
pub mod plan;
pub mod publish;
pub mod restore;
pub mod schedule;
pub mod sha256;
#[cfg(test)]
mod tests;
mod tidy;
mod upload;
pub mod verify;

pub use claim::Claim;
pub use error::Error;
pub use pace::Pace;
pub use tidy::Tidied;
