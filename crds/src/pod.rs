//! The protocol between operator and pods: [`Config`] goes down, [`Status`] comes up. Nothing else is exchanged.
//!
//! The two sides may run different versions, so unknown fields are ignored, and a field missing from a report is
//! unknown.

pub mod bounds;
mod config;
pub mod module_reasons;
mod report;
mod request;
pub mod seed_reasons;
pub mod snapshot_reasons;
mod snapshots;
pub mod source_reasons;
mod under_way;
mod view_list;

pub use bounds::BadStatus;
pub use config::{Config, Module, Seed, Source, VIEWS_TIMEOUT_MS_MAX, Views};
pub use report::{Check, FaultClass, Halt, Memory, Snapshots, Status, Store, Trouble, Volume};
pub use request::{REQUEST_ID_BYTES_MAX, Request};
pub use snapshots::{Bootstrap, ObjectStorage, Publishing};
pub use under_way::{BlockRun, BlockUnderWay};
pub use view_list::{VIEW_LIST_BYTES_MAX, VIEW_NAME_BYTES_MAX, VIEWS_MAX, ViewList};

/// TCP port of the JSON-RPC server.
pub const RPC_PORT: u16 = 8080;
/// TCP port of the ops server: [`STATUS_PATH`], [`VIEWS_PATH`], [`REFRESH_PATH`], [`SNAPSHOT_PATH`],
/// [`CHECKPOINT_PATH`], probes and metrics.
pub const OPS_PORT: u16 = 9090;
/// Path of the ops server at which a pod reports its [`Status`] as JSON.
pub const STATUS_PATH: &str = "/status";
/// Path of the ops server at which a pod lists the views of its module, as a [`ViewList`] in JSON. For people, through
/// a forwarded port.
pub const VIEWS_PATH: &str = "/views";
/// Path of the ops server to which a [`Request`] for a fresh guest instance is posted.
pub const REFRESH_PATH: &str = "/refresh";
/// Path of the ops server to which a [`Request`] for a snapshot is posted.
pub const SNAPSHOT_PATH: &str = "/snapshot";
/// Path of the ops server at which a pod serves a copy of its store to other pods.
pub const CHECKPOINT_PATH: &str = "/checkpoint";
