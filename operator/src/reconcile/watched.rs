//! An Indexer as the watch brings it.

use crds::Indexer;
use kube::core::DeserializeGuard;

/// An Indexer as it is watched: one that cannot be read must not stop the others.
pub type Watched = DeserializeGuard<Indexer>;
