//! Subcommands that answer a question or repair a store, and exit.

pub mod check;
pub mod client;
pub mod compare;
pub mod request;
pub mod rollback;
pub mod snapshot;
mod status_text;
pub mod text;
pub mod verify;
