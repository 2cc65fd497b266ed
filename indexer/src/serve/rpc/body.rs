//! Request bodies, bounded one by one and all together.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use futures::StreamExt as _;
use tokio::time::timeout;

use crate::guest::{Budget, Charge, Exhausted};

/// The part of the budget that bodies may take together is one in so many; guests and answers need the rest.
const SHARE_OF_BUDGET: u64 = 4;
/// What of each body is not charged: nearly all requests are shorter, and must get through while longer ones fill their
/// share. All connections together hold 8 MiB of it.
const UNCHARGED_BYTES: usize = 16 << 10;
/// Room is made for a long body in multiples of this, and charged before.
const STEP_BYTES: usize = 64 << 10;
/// Time for a body to arrive: 8 MiB at 2 Mbit/s.
const ARRIVAL_MAX: Duration = Duration::from_secs(32);
/// How much of a body that is too long is read and dropped: a client that is still sending would otherwise see a reset
/// connection in place of the answer.
const DRAIN_BYTES_MAX: u64 = 64 << 20;

/// Memory for bodies that are read or answered.
pub(super) struct Bodies {
    /// What they may take of the budget.
    share: Budget,
    budget: Budget,
    bytes_max: u64,
}

/// A body under way, with what it is charged.
struct Arriving {
    bytes: Vec<u8>,
    bytes_max: usize,
    share: Charge,
    charge: Charge,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the request exceeds {bytes_max} bytes (views.maxRequestBytes)")]
    TooLong { bytes_max: u64 },
    #[error("the request did not arrive within {} s", ARRIVAL_MAX.as_secs())]
    TooSlow,
    #[error(
        "requests of more than {UNCHARGED_BYTES} bytes may take {share_bytes} bytes together, a quarter of the memory \
         for queries, and too little of it is left; try again later"
    )]
    ShareInUse { share_bytes: u64 },
    #[error(transparent)]
    NoRoom(#[from] Exhausted),
    #[error("the request ended early: {0}")]
    Broken(axum::Error),
}

impl Bodies {
    /// Bodies of at most so many bytes each, charged to a budget. The largest one fits alone, whatever the budget.
    pub(super) fn new(bytes_max: u64, budget: &Budget) -> Self {
        Self {
            share: Budget::new((budget.total_bytes() / SHARE_OF_BUDGET).max(bytes_max)),
            budget: budget.clone(),
            bytes_max,
        }
    }

    /// Reads one body. It is charged what has come of it and nothing for what is announced, so clients that send
    /// nothing take nothing from others. What comes back is charged for as long as it exists.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, Error> {
        timeout(ARRIVAL_MAX, self.read_all(body))
            .await
            .unwrap_or(Err(Error::TooSlow))
    }

    async fn read_all(&self, body: Body) -> Result<Bytes, Error> {
        let too_long = Error::TooLong {
            bytes_max: self.bytes_max,
        };
        if body.size_hint().lower() > self.bytes_max {
            drain(body).await;
            return Err(too_long);
        }
        let mut arriving = Arriving {
            bytes: Vec::new(),
            bytes_max: usize::try_from(self.bytes_max).unwrap_or(usize::MAX),
            share: self.share.empty_charge(),
            charge: self.budget.empty_charge(),
        };
        let mut frames = body.into_data_stream();
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(Error::Broken)?;
            if (arriving.bytes.len() + frame.len()) as u64 > self.bytes_max {
                drop(arriving);
                drain(Body::from_stream(frames)).await;
                return Err(too_long);
            }
            if let Err(error) = arriving.add(&frame) {
                drop(arriving);
                drain(Body::from_stream(frames)).await;
                return Err(error);
            }
        }
        Ok(arriving.done())
    }
}

impl Arriving {
    fn add(&mut self, frame: &[u8]) -> Result<(), Error> {
        let needed = self.bytes.len() + frame.len();
        if needed > self.bytes.capacity() {
            let room = self.room_for(needed)?;
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(frame);
        Ok(())
    }

    /// How much room to make, charged. A fourth more than came at most, so that long bodies are not copied too often.
    fn room_for(&mut self, needed: usize) -> Result<usize, Error> {
        if needed <= UNCHARGED_BYTES {
            return Ok(needed);
        }
        let room = needed.max(self.bytes.len() / 4 * 5).next_multiple_of(STEP_BYTES);
        let room = room.min(self.bytes_max).max(needed);
        let more = (room as u64).saturating_sub(self.charge.bytes());
        self.share.grow(more).map_err(|exhausted| Error::ShareInUse {
            share_bytes: exhausted.total_bytes,
        })?;
        self.charge.grow(more)?;
        Ok(room)
    }

    fn done(self) -> Bytes {
        self.share.hold(self.charge.hold(self.bytes))
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

#[cfg(test)]
mod tests {
    use std::io;

    use futures::{FutureExt as _, poll, stream};

    use super::*;

    const MIB: usize = 1 << 20;

    fn bodies(bytes_max: u64) -> Bodies {
        Bodies::new(bytes_max, &Budget::new(8 * bytes_max))
    }

    /// No length announced.
    fn chunked(chunks: usize, bytes_each: usize) -> Body {
        let chunks = vec![Bytes::from(vec![b'x'; bytes_each]); chunks];
        Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, io::Error>)))
    }

    /// So many bytes, and then nothing more.
    fn stuck(bytes: usize) -> Body {
        let first = stream::iter([Ok::<_, io::Error>(Bytes::from(vec![b'x'; bytes]))]);
        Body::from_stream(first.chain(stream::pending()))
    }

    #[tokio::test]
    async fn length_limit_obeyed() {
        let bodies = bodies(4096);
        assert_eq!(bodies.read(Body::from(vec![0; 4096])).await.unwrap().len(), 4096);
        assert_eq!(bodies.read(chunked(4, 1024)).await.unwrap().len(), 4096);
        assert_eq!(bodies.read(Body::empty()).await.unwrap().len(), 0);
    }

    #[tokio::test]
    async fn length_limit_violated() {
        let bodies = bodies(4096);
        for body in [Body::from(vec![0; 4097]), chunked(5, 1024), chunked(1, 1 << 20)] {
            assert!(matches!(
                bodies.read(body).await,
                Err(Error::TooLong { bytes_max: 4096 })
            ));
        }
    }

    #[tokio::test]
    async fn share_of_all_bodies_obeyed() {
        let bodies = bodies(MIB as u64);
        let held = [
            bodies.read(Body::from(vec![0; MIB])).await.unwrap(),
            bodies.read(chunked(16, MIB / 16)).await.unwrap(),
        ];
        assert_eq!(bodies.budget.in_use_bytes(), 2 * MIB as u64);
        drop(held);
        assert_eq!((bodies.budget.in_use_bytes(), bodies.share.in_use_bytes()), (0, 0));
    }

    #[tokio::test]
    async fn share_of_all_bodies_violated() {
        let bodies = bodies(MIB as u64);
        let held = [
            bodies.read(Body::from(vec![0; MIB])).await.unwrap(),
            bodies.read(Body::from(vec![0; MIB])).await.unwrap(),
        ];
        let refused = bodies.read(Body::from(vec![0; MIB])).await;
        assert!(matches!(refused, Err(Error::ShareInUse { share_bytes: 2_097_152 })));
        let short = bodies.read(Body::from(vec![0; UNCHARGED_BYTES])).await.unwrap();
        assert_eq!(short.len(), UNCHARGED_BYTES, "short ones get through");
        drop(held);
        assert!(bodies.read(Body::from(vec![0; MIB])).await.is_ok());
    }

    #[tokio::test]
    async fn what_views_hold_is_missing_for_bodies() {
        let bodies = bodies(MIB as u64);
        let _views = bodies.budget.charge(8 * MIB as u64).unwrap();
        let refused = bodies.read(Body::from(vec![0; MIB])).await;
        assert!(matches!(refused, Err(Error::NoRoom(_))));
        assert!(bodies.read(Body::from("x")).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_is_charged_what_came() {
        let bodies = bodies(MIB as u64);
        let mut silent: Vec<_> = (0..100).map(|_| bodies.read(stuck(0)).boxed_local()).collect();
        for body in &mut silent {
            assert!(poll!(body).is_pending());
        }
        assert_eq!(bodies.budget.in_use_bytes(), 0);
        let mut half = bodies.read(stuck(MIB / 2)).boxed_local();
        assert!(poll!(&mut half).is_pending());
        assert_eq!(bodies.budget.in_use_bytes(), MIB as u64 / 2);
        drop(half);
        assert_eq!(bodies.budget.in_use_bytes(), 0);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let broken = stream::iter([Ok(Bytes::from("{")), Err(io::Error::other("reset"))]);
        assert!(matches!(
            bodies(10).read(Body::from_stream(broken)).await,
            Err(Error::Broken(_))
        ));
    }
}
