//! Request bodies, bounded one by one and all together.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, Bytes, HttpBody as _};
use futures::StreamExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Requests of the largest size that are held at the same time; of smaller ones more fit. One per core would keep any
/// machine busy, and eight of 8 MiB are little beside the views that answer them.
const LARGEST_HELD: u64 = 8;
/// Time for a body to arrive: 8 MiB at 2 Mbit/s.
const ARRIVAL_MAX: Duration = Duration::from_secs(32);
/// How much of a body that is too long is read and dropped: a client that is still sending would otherwise see a reset
/// connection in place of the answer.
const DRAIN_BYTES_MAX: u64 = 64 << 20;
/// What one permit of the budget stands for.
const BYTES_PER_PERMIT: u64 = 1024;

/// Memory for bodies that are read or answered.
pub(super) struct Bodies {
    budget: Arc<Semaphore>,
    bytes_max: u64,
}

/// A whole body; its share of the budget is free again once this is dropped.
pub(super) struct Received {
    pub(super) bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the request exceeds {bytes_max} bytes")]
    TooLong { bytes_max: u64 },
    #[error("the request did not arrive within {} s", ARRIVAL_MAX.as_secs())]
    TooSlow,
    #[error("the request ended early: {0}")]
    Broken(axum::Error),
}

impl Bodies {
    /// Bodies of at most so many bytes each.
    pub(super) fn new(bytes_max: u64) -> Self {
        let permits = permits(bytes_max).saturating_mul(LARGEST_HELD);
        let permits = usize::try_from(permits)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Self {
            budget: Arc::new(Semaphore::new(permits)),
            bytes_max,
        }
    }

    /// Reads one body, waiting for its share of the budget first.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn read(&self, body: Body) -> Result<Received, Error> {
        timeout(ARRIVAL_MAX, self.read_all(body))
            .await
            .unwrap_or(Err(Error::TooSlow))
    }

    async fn read_all(&self, body: Body) -> Result<Received, Error> {
        let too_long = Error::TooLong {
            bytes_max: self.bytes_max,
        };
        let announced = body.size_hint();
        let bytes_at_most = announced.upper().unwrap_or(self.bytes_max);
        if bytes_at_most > self.bytes_max {
            drain(body).await;
            return Err(too_long);
        }
        let share = u32::try_from(permits(bytes_at_most)).unwrap_or(u32::MAX);
        // Closed by nobody; an error would mean that there is no budget left for ever.
        let share = self
            .budget
            .clone()
            .acquire_many_owned(share)
            .await
            .map_err(|_| Error::TooSlow)?;
        let mut bytes = Vec::with_capacity(usize::try_from(announced.lower().min(self.bytes_max)).unwrap_or(0));
        let mut frames = body.into_data_stream();
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(Error::Broken)?;
            if (bytes.len() + frame.len()) as u64 > self.bytes_max {
                drop(bytes);
                drain(Body::from_stream(frames)).await;
                return Err(too_long);
            }
            bytes.extend_from_slice(&frame);
        }
        Ok(Received {
            bytes: bytes.into(),
            _share: share,
        })
    }
}

async fn drain(body: Body) {
    if body.size_hint().lower() > DRAIN_BYTES_MAX {
        return;
    }
    let mut frames = body.into_data_stream();
    let mut read = 0;
    while let Some(Ok(frame)) = frames.next().await {
        read += frame.len() as u64;
        if read > DRAIN_BYTES_MAX {
            return;
        }
    }
}

fn permits(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_PERMIT).max(1)
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    /// No length announced.
    fn chunked(chunks: usize, bytes_each: usize) -> Body {
        let chunks = vec![Bytes::from(vec![b'x'; bytes_each]); chunks];
        Body::from_stream(futures::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)))
    }

    #[tokio::test]
    async fn length_limit_obeyed() {
        let bodies = Bodies::new(4096);
        assert_eq!(bodies.read(Body::from(vec![0; 4096])).await.unwrap().bytes.len(), 4096);
        assert_eq!(bodies.read(chunked(4, 1024)).await.unwrap().bytes.len(), 4096);
        assert_eq!(bodies.read(Body::empty()).await.unwrap().bytes.len(), 0);
    }

    #[tokio::test]
    async fn length_limit_violated() {
        let bodies = Bodies::new(4096);
        for body in [Body::from(vec![0; 4097]), chunked(5, 1024), chunked(1, 1 << 20)] {
            assert!(matches!(
                bodies.read(body).await,
                Err(Error::TooLong { bytes_max: 4096 })
            ));
        }
    }

    #[tokio::test]
    async fn bodies_above_the_common_budget_wait_for_those_before() {
        let bodies = Bodies::new(4096);
        let mut held = Vec::new();
        for _ in 0..LARGEST_HELD {
            held.push(bodies.read(Body::from(vec![0; 4096])).await.unwrap());
        }
        let mut next = std::pin::pin!(bodies.read(Body::from("x")));
        assert!(poll!(&mut next).is_pending());
        held.pop();
        assert_eq!(next.await.unwrap().bytes, "x");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let broken = futures::stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("reset"))]);
        assert!(matches!(
            Bodies::new(10).read(Body::from_stream(broken)).await,
            Err(Error::Broken(_))
        ));
    }
}
