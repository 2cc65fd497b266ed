//! The harness of the tests on a real cluster, and the maker of the chains they index.
//!
//! ```text
//!   chain ─► mine ─► bitcoind ◄── node       blocks, handed to a node that runs as a pod
//!                        │
//!   manifest ─► index ─► query               an Indexer: applied, watched, queried
//!                        │
//!                    expected                the right answers, from the node's blocks alone
//!
//!   manifest ─► gitops ─► index              the same, delivered by a commit
//!   registry                                 where a module may come from
//!   s3                                       where snapshots go, and come from
//! ```
//!
//! A [`trial`] runs in a [`namespace`] of its own in the [`cluster`] that `make test` has created, and passes time in
//! one way only: it waits for a condition ([`wait::until`]). An error that waiting cannot mend ends the wait at once
//! ([`wait::outlook`]). What must never happen is looked for in every state an object was in ([`recording`]).

pub mod asked;
pub mod asker;
mod asking;
pub mod bitcoind;
pub mod block_file;
pub mod chain;
pub mod cluster;
pub mod disk;
mod dump;
pub mod edition;
pub mod events;
pub mod expected;
pub mod forged;
pub mod gitops;
pub mod index;
pub mod knocker;
pub mod kubectl;
pub mod machine;
pub mod manifest;
pub mod mine;
pub mod namespace;
pub mod node;
pub mod nodes;
pub mod operators;
pub mod person;
pub mod pod;
pub mod prometheus;
pub mod query;
pub mod recording;
pub mod registry;
mod report;
pub mod rollout;
pub mod runbook;
pub mod s3;
pub mod storage;
pub mod tamper;
pub mod throttle;
pub mod trial;
pub mod wait;
