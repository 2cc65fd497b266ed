//! What the fuzz targets stand on. Each target in `targets/` turns bytes into an input of one room of the indexer and
//! holds what comes out against a property: usually that of something slower and simpler that does the same.
#![cfg(feature = "fuzz")]

pub mod chain;
pub mod index;
pub mod model;
pub mod segment;
pub mod stage;
