//! The harness of the tests on a real cluster, and the maker of the chains they index.
//!
//! ```text
//!   chain ─► mine ─► bitcoind        blocks, handed to a node
//! ```

pub mod bitcoind;
pub mod chain;
pub mod mine;
