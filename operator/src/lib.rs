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
//! Modules import only what stands above them:
//!
//! ```text
//!   names, objects        what everything is called; what can be read from any object
//!   record, pod_defaults, access, validate    what a revision is; a spec without a flaw
//!   installation          whose an Indexer is
//!   facts                 what is known about objects and pods
//!   pod_client, sampler, cache, observe    collect the facts
//!   rollout               which revisions exist and which one serves
//!   memory                how much memory their containers should have
//!   storage               how large their volumes should be
//!   plan, apply           the objects that should exist; writing them
//!   status, transitions   what is shown
//!   election              which of several processes may write
//!   reconcile, run        one pass; the process
//! ```

pub mod access;
pub mod admin;
pub mod apply;
pub mod args;
pub mod ask_ready;
pub mod cache;
pub mod compare;
pub mod election;
pub mod facts;
pub mod installation;
pub mod memory;
pub mod metrics;
pub mod names;
pub mod objects;
pub mod observe;
pub mod plan;
pub mod pod_client;
pub mod pod_defaults;
mod quantity;
pub mod reconcile;
pub mod record;
pub mod refresh;
pub mod resources;
pub mod rollout;
pub mod run;
pub mod sampler;
pub mod snapshot_request;
pub mod status;
pub mod storage;
pub mod telemetry;
pub mod transitions;
pub mod validate;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod report_fuzz;
