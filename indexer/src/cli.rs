//! The command line: flags and manifests, parsed once into values that cannot be wrong.

pub mod args;
pub mod manifest;
