//! The two servers as clients meet them: JSON-RPC over a made-up index, and the ops port.

// The harness is all test, though not all of it stands in functions marked so.
#![allow(clippy::unwrap_used)]

/// The commands that ask a server.
mod client;
/// Anything at all in a body gets an answer.
mod fuzz;
mod harness;
/// Bounds: bodies, places, time, answers; clients that leave.
mod limits;
/// Every method with every way of writing its parameters.
mod methods;
/// The metrics as a whole, and their documentation.
mod metrics;
/// The ops port.
mod ops;
/// JSON-RPC itself: batches, notifications, what is no request, cross-origin rules.
mod protocol;
