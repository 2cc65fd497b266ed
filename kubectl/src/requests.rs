//! What is requested by annotation: made, and waited for until the operator says that it is carried out.

use std::time::Duration;

use anyhow::Result;
use crds::{Indexer, IndexerStatus};
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{cluster::Cluster, indexers, names};

/// How long, and how often, it is looked whether a request is carried out.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// After this it is given up.
    pub timeout: Duration,
    /// The pause between two looks.
    pub every: Duration,
}

/// Statuses are written within a second or two of a change; asking more often shows nothing new.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Something that can be requested.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The annotation that requests it.
    pub annotation: &'static str,
    /// The value of the last one that was carried out.
    handled: fn(&IndexerStatus) -> Option<&str>,
}

/// A fresh instance of the guest in every pod.
pub const REFRESH: Request = Request {
    annotation: names::REFRESH,
    handled: |status| status.last_handled_refresh_at.as_deref(),
};
/// A snapshot of the index as it is.
pub const SNAPSHOT: Request = Request {
    annotation: names::SNAPSHOT,
    handled: |status| status.last_handled_snapshot_at.as_deref(),
};

impl Request {
    /// Makes it. Returns the value that the status echoes once it is carried out.
    ///
    /// # Errors
    /// If the Indexer cannot be changed.
    pub async fn make(&self, cluster: &Cluster, name: &str) -> Result<String> {
        let requested = Timestamp::now().to_string();
        let patch = json!({ "metadata": { "annotations": { self.annotation: requested } } });
        indexers::patch(cluster, name, &patch).await?;
        Ok(requested)
    }

    /// Waits until it is carried out. Returns the Indexer of then and how long it took; none if it takes too long.
    ///
    /// # Errors
    /// If the Indexer cannot be had.
    pub async fn until_handled(
        &self,
        cluster: &Cluster,
        name: &str,
        requested: &str,
        wait: Wait,
    ) -> Result<Option<(Indexer, Duration)>> {
        let began = Instant::now();
        loop {
            let indexer = indexers::get(cluster, name).await?.indexer;
            if self.is_handled(&indexer, requested) {
                return Ok(Some((indexer, began.elapsed())));
            }
            if began.elapsed() + wait.every > wait.timeout {
                return Ok(None);
            }
            sleep(wait.every).await;
        }
    }

    /// The value of one that is not carried out.
    #[must_use]
    pub fn waiting<'a>(&self, indexer: &'a Indexer) -> Option<&'a str> {
        let requested = names::requested(&indexer.metadata, self.annotation)?;
        (self.last_handled(indexer) != Some(requested)).then_some(requested)
    }

    /// Whether it, or a later one that replaced it, has been carried out.
    fn is_handled(&self, indexer: &Indexer, requested: &str) -> bool {
        let newest = names::requested(&indexer.metadata, self.annotation).unwrap_or(requested);
        self.last_handled(indexer)
            .is_some_and(|handled| handled == requested || handled == newest)
    }

    fn last_handled<'a>(&self, indexer: &'a Indexer) -> Option<&'a str> {
        indexer.status.as_ref().and_then(self.handled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_request_is_handled_when_it_or_a_later_one_is() {
        for request in [REFRESH, SNAPSHOT] {
            let mut indexer = fixtures::following();
            let mut set = |requested: &str, handled: &str| {
                indexer.metadata.annotations = Some([(request.annotation.to_owned(), requested.to_owned())].into());
                let status = indexer.status.as_mut().unwrap();
                status.last_handled_refresh_at = Some(handled.to_owned());
                status.last_handled_snapshot_at = Some(handled.to_owned());
                assert_eq!(request.waiting(&indexer).is_none(), requested == handled);
                request.is_handled(&indexer, "2")
            };
            assert!(!set("2", "1"));
            assert!(set("2", "2"));
            assert!(set("3", "2"));
            assert!(set("3", "3"));
            assert!(!set("3", "1"));
        }
    }
}
