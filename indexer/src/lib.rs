//! Feeds Bitcoin blocks to a WASM guest and serves the index it builds.
//!
//! ```text
//!  source ─ blocks ─► pipeline::fetch ─► pipeline::execute ─► pipeline::commit ─► store
//!  (node)                                 │  ▲                                     ▲ │
//!                                    guest│  │reads: overlay, then store ──────────┘ │
//!                                         ▼  │                                       │
//!  clients ◄─ JSON-RPC ─ rpc ──────────► guest ◄────────── reads as of a height ─────┘
//!  operator ◄─ /status ─ ops ◄─ report ◄─ everything that happens
//! ```
//!
//! `source`, `guest` and `store` do not know each other; they meet in the pure `chain` and `state`. `pipeline` joins
//! them for indexing, `rpc` for queries.

pub mod chain;
pub mod cli;
pub mod commands;
pub mod control;
mod download;
pub mod fault;
pub mod guest;
pub mod module;
pub mod pipeline;
pub mod run;
pub mod seed;
pub mod serve;
pub mod source;
pub mod state;
pub mod store;
pub mod telemetry;
