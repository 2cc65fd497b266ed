//! Runs modules: two engines with the same settings, one import table, fresh instances.
//!
//! [`Module::load`] checks and compiles a module once. [`Indexing`] keeps at most one instance of it and feeds it
//! blocks; [`Module::view`] answers a query in an instance of its own. Both go through the same engine settings and the
//! same host functions, so a module computes the same in both.

mod abi;
mod backtrace;
mod budget;
mod describe;
mod engine;
mod flush;
mod host;
mod imports;
mod indexing;
mod instance;
mod interrupt;
mod job;
mod limits;
mod load;
mod log;
mod log_rate;
mod preview;
pub mod refresh;
mod residency;
mod view;

pub use self::{
    budget::{Budget, Charge, Exhausted},
    describe::{Description, Import, MetaView},
    engine::{Engine, EngineConfig, Error, SCOUTS_MAX},
    indexing::Indexing,
    interrupt::CancelFlag,
    load::{LoadError, Module},
    preview::Previewed,
    residency::Residency,
    view::{ViewAnswer, ViewError, ViewLimits},
};
