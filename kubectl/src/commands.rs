//! The commands: what each asks the API server, and what it says.

pub mod status;
pub mod top;
pub mod why;
