//! The commands: what each asks the API server, and what it says.

pub mod complete;
pub mod completion;
pub mod diff;
pub mod logs;
pub mod query;
pub mod refresh;
pub mod report;
pub mod snapshot;
pub mod status;
pub mod suspend;
pub mod top;
pub mod views;
pub mod why;
