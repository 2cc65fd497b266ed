//! (pure) What each command shows: functions of facts, the time and a style.

pub mod diff;
pub mod status;
pub mod top;
pub mod views;
pub mod why;

mod fields;
