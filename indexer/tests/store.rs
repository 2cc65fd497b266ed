//! The store on a real RocksDB in temporary folders.

#[path = "store/crash.rs"]
mod crash;
#[path = "store/fixture.rs"]
mod fixture;
#[path = "store/format.rs"]
mod format;
#[path = "store/history.rs"]
mod history;
#[path = "store/open.rs"]
mod open;
#[path = "store/unwind.rs"]
mod unwind;
#[path = "store/views.rs"]
mod views;
