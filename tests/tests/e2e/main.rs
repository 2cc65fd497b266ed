//! The product on a real cluster with a real Bitcoin node: what a person was promised, seen from outside.
//!
//! The tests run side by side, each in a namespace of its own. What must run alone has a file of its own beside this
//! folder.

mod access;
mod auto_grow;
mod autoscaler;
mod bad_release;
mod blue_green;
mod budgets;
mod chain;
mod comparison;
mod consistency;
mod deletions;
mod failures;
mod forged_pod;
mod hotfix;
mod in_place_replicas;
mod kubectl_shrewd;
mod lifecycle;
mod memory;
mod placement;
mod publisher_change;
mod quiet;
mod refusals;
mod releases;
mod same_data;
mod sibling;
mod snapshots;
mod status_restored;
mod stop_height;
mod storage;
mod sync;
mod view_heights;
mod waiting_candidate;
