//! The guest that indexes, and when its instance is exchanged for a fresh one. Lives across sessions.

use crds::{LastRefresh, RefreshPolicy, RefreshReason};

use super::shared::Shared;
use crate::{
    chain::Height,
    fault::{Fault, point},
    guest::{Indexing, refresh},
};

/// The guest and what decides when it is refreshed.
pub(super) struct KeptGuest {
    pub(super) indexing: Indexing,
    /// Why the next block needs a fresh instance, if something asked for one.
    pending: Option<RefreshReason>,
    /// The request behind a pending manual refresh.
    request: Option<String>,
    /// Linear memory at the end of the last block.
    last_bytes: Option<u64>,
}

impl KeptGuest {
    /// Without an instance; the first block makes one.
    pub(super) fn new(indexing: Indexing) -> Self {
        Self {
            indexing,
            pending: None,
            request: None,
            last_bytes: None,
        }
    }

    /// Calls for a fresh instance before the next block.
    pub(super) fn want(&mut self, reason: RefreshReason) {
        self.pending = Some(refresh::weightier(self.pending, reason));
    }

    /// A block ran to its end and left the guest with this much linear memory; `None`: it failed.
    pub(super) fn ended_with(&mut self, bytes: Option<u64>) {
        self.last_bytes = bytes;
    }

    /// Takes over the request to refresh, if there is one.
    pub(super) fn take_request(&mut self, shared: &Shared) {
        if let Some(id) = shared.control.take_refresh() {
            self.request = Some(id);
            self.want(RefreshReason::Manual);
        }
    }

    /// Makes a fresh instance if the rules say so.
    ///
    /// # Errors
    /// When it cannot be made and the block must not run on the old one.
    pub(super) fn refresh_if_due(&mut self, shared: &Shared, height: Height) -> Result<(), Fault> {
        let settings = &shared.settings;
        let due = refresh::decide(
            settings.refresh,
            settings.threshold_bytes,
            self.last_bytes,
            self.pending,
        );
        let Some(reason) = due else { return Ok(()) };
        point::reach("before a refresh");
        match self.indexing.refresh() {
            Ok(()) => {
                point::reach("after a refresh");
                self.refreshed(shared, reason, height);
                Ok(())
            }
            // The host gave no memory for a second instance. The old one is still good for this policy, as long as
            // nothing happened that it must forget.
            Err(fault) if self.may_keep(settings.refresh, reason) => {
                tracing::warn!(%height, ?reason, error = %fault, "refresh failed, keeping the instance");
                shared.metrics.refresh_failed();
                Ok(())
            }
            Err(fault) => {
                shared.metrics.refresh_failed();
                Err(fault)
            }
        }
    }

    fn may_keep(&self, policy: RefreshPolicy, reason: RefreshReason) -> bool {
        policy == RefreshPolicy::OnThreshold
            && self.indexing.has_instance()
            && matches!(reason, RefreshReason::Threshold | RefreshReason::Manual)
    }

    /// Acts on a request at once, also while no block comes.
    pub(super) fn refresh_on_request(&mut self, shared: &Shared, height: Height) {
        self.take_request(shared);
        if self.pending.is_none() {
            return;
        }
        if let Err(fault) = self.refresh_if_due(shared, height) {
            tracing::warn!(error = %fault, "refresh on request failed, retrying before the next block");
        }
    }

    fn refreshed(&mut self, shared: &Shared, reason: RefreshReason, height: Height) {
        self.pending = None;
        self.last_bytes = None;
        let request = self.request.take();
        let bytes = self.indexing.guest_bytes();
        shared.report.update(|status| {
            *status.memory.refreshes.of(reason) += 1;
            status.memory.guest_bytes = bytes;
            status.memory.last_refresh = Some(LastRefresh::now(reason, height.0));
            if request.is_some() {
                status.last_refresh_request = request;
            }
        });
        if reason != RefreshReason::Block {
            tracing::info!(%height, ?reason, "refreshed");
        }
    }
}
