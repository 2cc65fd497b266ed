//! The product delivered by a real GitOps tool: manifests are pushed to git, Flux applies them, and its status is what
//! a team watches. Run by `make gitops`: Flux, git server and registry are not part of `make test`'s cluster.
//!
//! The tests run side by side, each in a namespace and with a repository of its own.

mod bad_module;
mod drift;
mod first;
mod module;
mod next_module;
mod prune;
mod smaller_size;
mod team;
mod threshold;
