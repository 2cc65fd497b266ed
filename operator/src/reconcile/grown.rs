//! What pods said of their file systems when their volumes were to grow by themselves, so that none grows twice for one
//! report.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{objects::Key, storage::Capacities};

/// Capacities by Indexer. At most one for each pod there was since the operator began.
#[derive(Debug, Default)]
pub(super) struct Grown(Mutex<HashMap<Key, Capacities>>);

impl Grown {
    /// What was noted last.
    pub(super) fn before(&self, key: &Key) -> Capacities {
        self.grown().get(key).cloned().unwrap_or_default()
    }

    /// Notes what pods say now that their volumes are to grow.
    pub(super) fn note(&self, key: &Key, capacities: Capacities) {
        self.grown().entry(key.clone()).or_default().extend(capacities);
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.grown().remove(key);
    }

    fn grown(&self) -> MutexGuard<'_, HashMap<Key, Capacities>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
