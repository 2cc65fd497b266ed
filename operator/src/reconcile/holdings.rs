//! Which Indexers this process has looked after, and which it leaves alone.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{installation::Whose, objects::Key};

/// See the module. One entry for each Indexer at most.
#[derive(Debug, Default)]
pub(super) struct Holdings(Mutex<HashMap<Key, Holding>>);

#[derive(Debug, Default)]
struct Holding {
    /// The unique id of the resource that this process has had.
    had: Option<String>,
    /// Why it is left alone.
    left: Option<Whose>,
}

impl Holdings {
    /// Whether this process has looked after the resource with this unique id.
    pub(super) fn has_had(&self, key: &Key, uid: &str) -> bool {
        let all = self.all();
        all.get(key).and_then(|holding| holding.had.as_deref()) == Some(uid)
    }

    /// Notes that it does.
    pub(super) fn note_held(&self, key: &Key, uid: String) {
        let held = Holding {
            had: Some(uid),
            left: None,
        };
        self.all().insert(key.clone(), held);
    }

    /// Notes that it leaves an Indexer alone. Returns whether that is new.
    pub(super) fn note_left(&self, key: &Key, why: &Whose) -> bool {
        let mut all = self.all();
        all.entry(key.clone()).or_default().left.replace(why.clone()).as_ref() != Some(why)
    }

    /// Whether an Indexer is left alone, as far as this process has looked at it.
    pub(super) fn is_left_alone(&self, key: &Key) -> bool {
        self.all().get(key).is_some_and(|holding| holding.left.is_some())
    }

    /// Drops what is known of an Indexer that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Holding>> {
        // Nothing below the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
