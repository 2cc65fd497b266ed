//! Answers queries from store and module: what [`rpc`](crate::serve::rpc) is given in a real process.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;

use crate::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{CancelFlag, Module, ViewAnswer, ViewError, ViewLimits},
    serve::rpc::{Index, IndexedBlock, Sizes},
    state::{Layered, Overlay},
    store::Store,
};

/// Store and module of a process, once both are open.
///
/// The port is bound before they are, so that a client of a process that has just started gets an answer.
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

    /// From here on queries are answered. A second call changes nothing.
    pub fn open(&self, store: Store, module: Module) {
        let _ = self.opened.set((store, module));
    }

    /// Store and module, for a query that runs the module.
    fn to_run(&self) -> Result<&(Store, Module), ViewError> {
        let opened = self.opened.get();
        opened.ok_or_else(|| ViewError::Host("the index is not open yet".into()))
    }

    fn limits(&self, deadline: Instant) -> ViewLimits {
        ViewLimits {
            deadline,
            max_response_bytes: self.max_response_bytes,
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
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError> {
        let (store, module) = self.to_run()?;
        let (tip, snapshot) = store.view_reader();
        let tip = tip.map_or(Height(0), |tip| tip.at.height);
        let height = height.map_or(tip, |height| height.min(tip));
        let limits = self.limits(deadline);
        module.view(function, height, input, Box::new(snapshot.at(height)), limits, cancel)
    }

    fn preview(
        &self,
        function: &str,
        parent: Option<Height>,
        block: Bytes,
        input: Bytes,
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError> {
        let (store, module) = self.to_run()?;
        // One snapshot for both runs: what is committed or undone meanwhile concerns neither.
        let (tip, snapshot) = store.view_reader();
        let tip = tip.map_or(Height(0), |tip| tip.at.height);
        let parent = parent.map_or(tip, |parent| parent.min(tip));
        let height = parent.next();
        let writes = module.preview(height, block, Box::new(snapshot.at(parent)), deadline, cancel)?;
        let mut overlay = Overlay::default();
        overlay.push(height, writes.flushed());
        let state = Layered::new(Arc::new(overlay), snapshot.at(parent));
        let limits = self.limits(deadline);
        module.view(function, height, input, Box::new(state), limits, cancel)
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
