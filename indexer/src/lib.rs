//! Feeds Bitcoin blocks to a WASM guest and serves the index it builds.
//!
//! ```text
//!  source ─ blocks ─► pipeline::fetch ─► pipeline::execute ─► pipeline::commit ─► store
//!  (node)                                 │  ▲                                     ▲ │
//!                                    guest│  │reads: overlay, then store ──────────┘ │
//!                                         ▼  │                                       │
//!  clients ◄─ JSON-RPC ─ serve ─────────► guest ◄────────── reads as of a height ─────┘
//!  operator ◄─ /status ─ ops ◄─ report ◄─ all of the above
//! ```
//!
//! `source`, `guest` and `store` are independent of each other; they share the pure types of `chain` and `state`.
//! `pipeline` connects them for indexing, `serve` for queries. `run` starts and stops all of it.

// What tests in here share with those in `tests`, which know the crate by its name.
#[cfg(test)]
extern crate self as indexer;

pub mod chain;
pub mod cli;
pub mod commands;
pub mod control;
mod download;
pub mod fault;
mod flushing;
pub mod guest;
pub mod machine;
pub mod module;
pub mod pipeline;
pub mod rows;
pub mod run;
pub mod seed;
pub mod serve;
pub mod snapshot;
pub mod source;
pub mod state;
pub mod store;
pub mod telemetry;
