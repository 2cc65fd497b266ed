//! What operator and pods say to each other: [`Config`] down, [`Status`] up. Nothing else passes between them.
//!
//! The two may be of different versions, so fields that are not known are skipped, and what a report lacks is unknown.

pub mod bounds;
mod config;
pub mod module_reasons;
mod refresh;
mod report;
pub mod seed_reasons;
pub mod source_reasons;
mod under_way;

pub use bounds::BadStatus;
pub use config::{Config, Module, Seed, Source, Views};
pub use refresh::{REFRESH_ID_BYTES_MAX, RefreshRequest};
pub use report::{Check, FaultClass, Halt, Memory, Status, Trouble};
pub use under_way::{BlockRun, BlockUnderWay};

/// TCP port of the JSON-RPC server.
pub const RPC_PORT: u16 = 8080;
/// TCP port of the ops server: [`STATUS_PATH`], [`REFRESH_PATH`], [`CHECKPOINT_PATH`], probes and metrics.
pub const OPS_PORT: u16 = 9090;
/// Path of the ops server at which a pod reports its [`Status`] as JSON.
pub const STATUS_PATH: &str = "/status";
/// Path of the ops server to which a [`RefreshRequest`] is posted.
pub const REFRESH_PATH: &str = "/refresh";
/// Path of the ops server at which a pod serves a copy of its store to other pods.
pub const CHECKPOINT_PATH: &str = "/checkpoint";
