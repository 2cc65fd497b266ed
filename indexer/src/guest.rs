//! Runs modules: one engine, one import table, fresh instances.
//!
//! [`Module::load`] checks and compiles a module once. [`Indexing`] keeps at most one instance of it and feeds it
//! blocks; [`Module::view`] answers a query in an instance of its own. Both go through the same engine settings and the
//! same host functions, so a module computes the same in both.

mod abi;
mod describe;
mod engine;
mod flush;
mod host;
mod imports;
mod indexing;
mod instance;
mod interrupt;
mod limits;
mod load;
mod log;
mod preview;
pub mod refresh;
mod view;

pub use self::{
    describe::{Description, Import, MetaView},
    engine::{Engine, EngineConfig, Error},
    indexing::Indexing,
    interrupt::CancelFlag,
    load::{LoadError, Module},
    view::{ViewAnswer, ViewError, ViewLimits},
};
