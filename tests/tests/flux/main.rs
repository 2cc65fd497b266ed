//! The product in the hands of a real GitOps tool: manifests are pushed to git, Flux applies them, and its verdict is what
//! a team looks at. `make gitops` runs it: Flux, git server and registry are not part of `make test`'s cluster.
//!
//! The tests run side by side, each in a namespace and with a repository of its own.

mod bad_module;
mod drift;
mod first;
mod module;
mod next_module;
mod prune;
mod team;
mod threshold;
