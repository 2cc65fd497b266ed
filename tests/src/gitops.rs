//! Delivery from git, as a team does it: manifests are committed and pushed, Flux applies them to a test's namespace.
//!
//! ```text
//!   Repository ── push ─► git server ◄── GitRepository ◄── Kustomization ──► manifests applied, health awaited, pruned
//!                         (in the cluster)        (both: Delivery, in the test's namespace)
//! ```
//!
//! `make gitops-up` puts Flux and the git server into the cluster.

pub mod delivery;
pub mod repository;
