//! The store on a real RocksDB in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

#[path = "store/convert.rs"]
mod convert;
#[path = "store/copy.rs"]
mod copy;
#[path = "store/crash.rs"]
mod crash;
#[path = "store/fixture.rs"]
mod fixture;
#[path = "store/format.rs"]
mod format;
#[path = "store/format_1.rs"]
mod format_1;
#[path = "store/history.rs"]
mod history;
#[path = "store/in_place.rs"]
mod in_place;
#[path = "store/offline.rs"]
mod offline;
#[path = "store/open.rs"]
mod open;
#[path = "store/unwind.rs"]
mod unwind;
#[path = "store/views.rs"]
mod views;
