//! Answers queries from store and module: the [`Index`] of a real process.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use crds::pod::ViewList;

use super::lookup;
use crate::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{Module, ViewError, ViewLimits},
    serve::rpc::{Answered, Index, IndexedBlock, Page, Range, Read, ReadAt, Sizes, Terms, Written},
    state::{Layered, Overlay},
    store::{SnapshotReader, Store},
};

/// Store and module of a process, once both are open.
///
/// The port is bound before they are, so that clients of a process that has just started get an answer.
pub struct Serving {
    opened: OnceLock<(Store, Module)>,
    max_response_bytes: u64,
}

impl Serving {
    /// Nothing to serve yet.
    #[must_use]
    pub fn new(max_response_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            opened: OnceLock::new(),
            max_response_bytes,
        })
    }

    /// From now on queries are answered. A second call changes nothing.
    pub fn open(&self, store: Store, module: Module) {
        let _ = self.opened.set((store, module));
    }

    /// The module's views; none until it is open.
    pub(super) fn views(&self) -> Option<ViewList> {
        let (_, module) = self.opened.get()?;
        Some(ViewList::of(module.views()))
    }

    /// Store and module, for a query that runs the module.
    fn to_run(&self) -> Result<&(Store, Module), ViewError> {
        let opened = self.opened.get();
        opened.ok_or_else(|| ViewError::Host("the index is not open yet".into()))
    }

    fn limits(&self, terms: &Terms<'_>) -> ViewLimits {
        ViewLimits {
            deadline: terms.deadline,
            max_response_bytes: self.max_response_bytes,
            budget: terms.budget.clone(),
        }
    }

    fn store(&self) -> Option<&Store> {
        self.opened.get().map(|(store, _)| store)
    }
}

impl Index for Serving {
    fn unavailable(&self) -> Option<String> {
        self.opened
            .get()
            .is_none()
            .then(|| "the index is not open yet: see /status on the ops port".into())
    }

    fn tip(&self) -> Option<BlockRef> {
        Some(self.store()?.tip()?.at)
    }

    fn block(&self, height: Height) -> Result<Option<IndexedBlock>, Fault> {
        let Some(store) = self.store() else { return Ok(None) };
        Ok(store.block(height)?.map(|row| IndexedBlock {
            hash: row.hash,
            digest: row.digest,
        }))
    }

    fn has_view(&self, function: &str) -> bool {
        self.opened.get().is_some_and(|(_, module)| module.has_view(function))
    }

    fn view(
        &self,
        function: &str,
        height: Option<Height>,
        input: Bytes,
        terms: &Terms<'_>,
    ) -> Result<Answered, ViewError> {
        let (store, module) = self.to_run()?;
        let (at, snapshot) = read_at(store, height)?;
        let state = Box::new(snapshot.at(at.height));
        let answer = module.view(function, at.height, input, state, &self.limits(terms), terms.cancel)?;
        Ok(Answered { answer, at })
    }

    fn preview(
        &self,
        function: &str,
        parent: Option<Height>,
        block: Bytes,
        input: Bytes,
        terms: &Terms<'_>,
    ) -> Result<Answered, ViewError> {
        let (store, module) = self.to_run()?;
        // One snapshot for both runs: what is committed or undone meanwhile concerns neither.
        let (at, snapshot) = read_at(store, parent)?;
        let (height, limits) = (at.height.next(), self.limits(terms));
        let below = Box::new(snapshot.at(at.height));
        let block = module.preview(height, block, below, &limits, terms.cancel)?;
        let mut overlay = Overlay::default();
        overlay.push(height, block.writes.flushed());
        let state = Layered::new(Arc::new(overlay), snapshot.at(at.height));
        let answer = module.view(function, height, input, Box::new(state), &limits, terms.cancel)?;
        Ok(Answered { answer, at })
    }

    fn get(&self, key: &[u8], height: Option<Height>, terms: &Terms<'_>) -> Result<Read<Option<Written>>, ViewError> {
        let (at, snapshot) = read_at(&self.to_run()?.0, height)?;
        let found = lookup::value(&snapshot, at.height, key, self.max_response_bytes, terms)?;
        Ok(Read { found, at })
    }

    fn scan(&self, range: &Range, height: Option<Height>, terms: &Terms<'_>) -> Result<Read<Page>, ViewError> {
        let (at, snapshot) = read_at(&self.to_run()?.0, height)?;
        let found = lookup::page(&snapshot, at.height, range, self.max_response_bytes, terms)?;
        Ok(Read { found, at })
    }

    fn sizes(&self) -> Result<Sizes, Fault> {
        let Some(store) = self.store() else {
            return Ok(Sizes::default());
        };
        let stats = store.stats();
        let blocks = store
            .tip()
            .map_or(0, |tip| u64::from(tip.at.height.above(store.start())) + 1);
        Ok(Sizes {
            entries: stats.entries,
            bytes_on_disk: stats.disk_bytes,
            blocks,
        })
    }
}

/// A height, at most the tip's and without one the tip's, the block there, and the state of that moment.
fn read_at(store: &Store, height: Option<Height>) -> Result<(ReadAt, SnapshotReader), ViewError> {
    let (tip, snapshot) = store.view_reader();
    let at = match (tip, height) {
        (Some(tip), Some(height)) if height < tip.at.height => {
            let block = snapshot.block(height);
            let block = block.map_err(|error| ViewError::Host(Fault::from(error).message))?;
            ReadAt {
                height,
                hash: block.map(|row| row.hash),
            }
        }
        (Some(tip), _) => tip.at.into(),
        (None, _) => ReadAt {
            height: Height(0),
            hash: None,
        },
    };
    Ok((at, snapshot))
}
