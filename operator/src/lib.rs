//! The operator: turns `Indexer` resources into pods, and writes what the pods report back into them.
//!
//! ```text
//!   Indexer ──► observe ──► validate ──► rollout ──► plan ──► apply ──► status ──► Indexer
//!     ▲          [I/O]       [pure]       [pure]    [pure]    [I/O]     [pure]
//!     │            ▲                                                      written only if it differs
//!     └── wakes ── sampler ◄── /status of every pod
//! ```
//!
//! [`reconcile`] is that line as code. What is marked pure takes and returns values; no client, clock or socket.

pub mod admin;
pub mod apply;
pub mod args;
pub mod compare;
pub mod metrics;
pub mod names;
pub mod observe;
pub mod plan;
pub mod reconcile;
pub mod record;
pub mod refresh;
pub mod resources;
pub mod rollout;
pub mod run;
pub mod sampler;
pub mod status;
pub mod telemetry;
pub mod transitions;
pub mod validate;

#[cfg(test)]
mod fixtures;
