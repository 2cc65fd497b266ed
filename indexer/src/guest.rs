//! Runs modules: one engine, one import table, fresh instances.
