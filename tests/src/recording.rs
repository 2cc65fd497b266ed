//! Every state that objects were in, not only those that a probe happened to see: for what must never happen.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, pin_mut};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use crate::wait;

/// A test's objects change some hundred times at most; more would mean a loop of writes.
const STATES_MAX: usize = 5_000;

/// A watch that keeps everything it receives.
pub struct Recording<K> {
    api: Api<K>,
    which: ListParams,
    states: Arc<Mutex<Vec<K>>>,
    watch: JoinHandle<Result<()>>,
}

impl<K> Recording<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Records the selected objects from now on, beginning with their current state.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn start(api: Api<K>, which: ListParams) -> Result<Self> {
        let found = api.list(&which).await?;
        let version = found.metadata.resource_version.context("a list has a version")?;
        let states = Arc::new(Mutex::new(found.items));
        let watch = tokio::spawn(record(api.clone(), which.clone(), version, states.clone()));
        Ok(Self {
            api,
            which,
            states,
            watch,
        })
    }

    /// Ends the recording. Returns all states in their order, the last one before a deletion twice.
    ///
    /// # Errors
    /// If something was missed.
    pub async fn end(self) -> Result<Vec<K>> {
        // Events of the moment before may still be on their way.
        let now = self.api.list(&self.which).await?;
        wait::until("the recording is complete", wait::PATIENCE, async || {
            let states = locked(&self.states);
            for object in &now.items {
                let has_it =
                    |state: &K| state.uid() == object.uid() && state.resource_version() == object.resource_version();
                let known = states.iter().any(has_it) || self.watch.is_finished();
                ensure!(known, "{} is not recorded as it is", object.name_any());
            }
            Ok(())
        })
        .await?;
        if self.watch.is_finished() {
            self.watch.await??;
            bail!("the watch has ended");
        }
        self.watch.abort();
        let states = locked(&self.states).clone();
        ensure!(!states.is_empty(), "nothing was recorded");
        Ok(states)
    }
}

/// Watches until it is aborted. Fails if states may have been missed.
async fn record<K>(api: Api<K>, which: ListParams, mut version: String, states: Arc<Mutex<Vec<K>>>) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let params = WatchParams {
        label_selector: which.label_selector,
        field_selector: which.field_selector,
        ..WatchParams::default()
    };
    loop {
        // A watch ends after some minutes; the next one resumes at the last version.
        let events = api.watch(&params, &version).await?;
        pin_mut!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object)) => {
                    version = object.resource_version().context("an object has a version")?;
                    let mut states = locked(&states);
                    states.push(object);
                    ensure!(states.len() < STATES_MAX, "more than {STATES_MAX} states");
                }
                Ok(WatchEvent::Bookmark(bookmark)) => version = bookmark.metadata.resource_version,
                Ok(WatchEvent::Error(status)) => bail!("the watch has a gap: {status}"),
                Err(error @ (kube::Error::Api(_) | kube::Error::SerdeError(_))) => return Err(error.into()),
                // After a lost connection the next watch resumes at the last version, too.
                Err(_) => break,
            }
        }
    }
}

fn locked<K>(states: &Mutex<Vec<K>>) -> MutexGuard<'_, Vec<K>> {
    // A panic cannot leave a half-made push behind.
    states.lock().unwrap_or_else(PoisonError::into_inner)
}
