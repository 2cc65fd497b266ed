//! Copies of a store in an object storage.
//!
//! ```text
//! PREFIX/files/SHA256                    files of stores, named by their hash, shared by all snapshots of the prefix
//! PREFIX/HEIGHT/manifest.json            a snapshot: what it is, and which files it has; written last
//! PREFIX/HEIGHT-REVISION/manifest.json   the same of another revision, where HEIGHT is taken
//! ```
//!
//! Files of rows never change, so what differs between two snapshots of one index is its new rows and the small
//! database beside them. In here it is decided what a manifest may say, which files have to be uploaded and which may
//! be removed.

pub mod manifest;
pub mod name;
pub mod plan;
pub mod sha256;
