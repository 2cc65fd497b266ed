//! What the process reports: log lines, the progress bar, metrics, and the status document.

pub mod growth;
pub mod logs;
pub mod metrics;
pub mod progress;
pub mod pulse;
pub mod report;
mod speed;
pub mod units;
