//! The two servers as clients meet them: JSON-RPC over a made-up index, and the ops port.

// The harness is test code, though not all of it is in functions marked as tests.
#![allow(clippy::unwrap_used)]

/// The commands that query a server.
mod client;
/// Two servers that are asked the same.
mod comparing;
/// Anything at all in a body gets an answer.
mod fuzz;
mod harness;
mod heights;
/// Bounds: bodies, concurrent views, time, answers; clients that leave.
mod limits;
mod lookup;
/// Every method with every way of writing its parameters.
mod methods;
/// The metrics as a whole, and their documentation.
mod metrics;
/// The ops port.
mod ops;
/// JSON-RPC itself: batches, notifications, what is no request, cross-origin rules.
mod protocol;
/// Bounds on connections: their number, idle ones, slow ones.
mod sockets;
