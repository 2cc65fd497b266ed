//! `kubectl shrewd`: what Indexers do, why, and what to do about it, from the command line.
//!
//! ```text
//!   API server ──► cluster, indexers ──► read ──► facts, findings ──► screen ──► terminal
//! ```
//!
//! Only the API server is contacted. What is shown is decided by pure functions of the resource, the time and a style;
//! `commands` joins them with the calls that each command makes.

pub mod age;
pub mod args;
pub mod bar;
pub mod bounded_lines;
pub mod changes;
pub mod cluster;
pub mod commands;
pub mod document;
pub mod effects;
pub mod facts;
pub mod failure;
pub mod findings;
#[cfg(test)]
mod fixtures;
pub mod forward;
pub mod gitops;
pub mod guest_log;
pub mod indexers;
pub mod judge;
pub mod kubeconfig;
pub mod merge;
pub mod names;
pub mod pods;
pub mod proxy;
pub mod read;
pub mod requests;
pub mod rights;
pub mod rpc;
mod run;
pub mod screen;
pub mod scrub;
pub mod similar;
pub mod style;
pub mod table;
pub mod takeover;
pub mod terminal;
pub mod text;
pub mod units;
pub mod waiting;
pub mod words;

pub use run::run;
