//! That the watch caches of a scope were filled once, for any number of passes that wait for it.
//!
//! A cache wakes only whoever asked it last (kube-runtime 5.0.0, `DelayedInit`). Passes that asked it before the first
//! lists came would wait forever, take every slot, and leave all Indexers alone: so one task asks it, and says so here.

use tokio::sync::watch;

/// Says so.
#[derive(Debug)]
pub struct Listing(watch::Sender<bool>);

/// Waits for it.
#[derive(Clone, Debug)]
pub struct Listed(watch::Receiver<bool>);

/// They will never be filled: the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the watch caches are closed")]
pub struct Closed;

/// Both ends.
#[must_use]
pub fn listing() -> (Listing, Listed) {
    let (sender, receiver) = watch::channel(false);
    (Listing(sender), Listed(receiver))
}

impl Listing {
    /// The caches are filled.
    pub fn announce(self) {
        self.0.send_replace(true);
    }
}

impl Listed {
    /// Returns once the caches are filled.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn wait(&self) -> Result<(), Closed> {
        let mut listed = self.0.clone();
        listed.wait_for(|listed| *listed).await.map(drop).map_err(|_| Closed)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn all_that_wait_are_woken_and_later_ones_need_not_wait() {
        let (listing, listed) = listing();
        let waiting: Vec<_> = (0..9)
            .map(|_| {
                let listed = listed.clone();
                tokio::spawn(async move { listed.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|wait| !wait.is_finished()));
        listing.announce();
        for waited in join_all(waiting).await {
            assert_eq!(waited.unwrap(), Ok(()));
        }
        assert_eq!(listed.wait().await, Ok(()));
    }

    #[tokio::test]
    async fn what_will_never_come_is_not_waited_for() {
        let (listing, listed) = listing();
        drop(listing);
        assert_eq!(listed.wait().await, Err(Closed));
    }
}
