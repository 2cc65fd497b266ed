//! The `Indexer` kind, and the two documents that operator and pods exchange.
//!
//! ```text
//!   Indexer (YAML) ── spec ──► operator ── pod::Config ──► indexer
//!        ▲                        │                          │
//!        └──────── status ────────┘◄────── pod::Status ──────┘
//! ```
//!
//! Nothing here talks to a cluster, a node or a disk: types, their defaults, their rules, and the conversion of a spec
//! into a pod's configuration, which both the operator and a local run use.

#[macro_use]
mod defaults;
#[macro_use]
mod words;

pub mod conditions;
mod definition;
pub mod identity;
mod memory_budget;
mod network;
pub mod pod;
mod problem;
pub mod quantity;
mod registry;
mod remedy;
mod resolve;
#[allow(unreachable_pub)] // as for `spec`
mod rollout;
// The schema derive declares inner copies of these types, which the lint considers unreachable.
#[allow(unreachable_pub)]
mod spec;
#[allow(unreachable_pub)]
mod status;
mod store_format;
pub mod sync_pace;
mod unknown;

pub use definition::{crd, crd_yaml};
pub use identity::{Identity, IdentityDifference, Revision};
pub use memory_budget::{MemoryBudget, ProcessMemory, STORE_BYTES_MIN, StoreMemory, memory_budget, store_memory};
pub use network::Network;
pub use problem::Problem;
pub use quantity::{ByteSize, TimeSpan};
pub use registry::{BadRegistry, Registry};
pub use remedy::{REMEDIES, remedy};
pub use resolve::{AutoGrow, Resolved, Timing, resolve};
pub use rollout::*;
pub use spec::*;
pub use status::*;
pub use store_format::{STORE_FORMAT, STORE_FORMAT_OLDEST};
pub use unknown::unknown_fields;
