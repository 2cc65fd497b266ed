//! The operator's program on a real API server without nodes.
//!
//! These tests need `tests/kind/control-plane`, and Helm in `PATH`, so they run when asked for: `--ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

mod adversity;
mod election;
mod faults;
mod installations;
mod resize;
mod rights;
mod scale;
mod support;
