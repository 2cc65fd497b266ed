//! One budget of bytes for everything queries make a process hold: guests of views and previews, request bodies,
//! answers. Whatever takes memory for a query holds a [`Charge`]; without one it fails instead of the process.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;

/// Between two looks at whether a wait for memory should end early. As long as a tick of the guests' clock.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// So many bytes, given out and taken back. Clones share them.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total_bytes: u64,
    in_use_bytes: Mutex<u64>,
    freed: Condvar,
}

/// A part of a budget; it goes back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    bytes: u64,
}

/// The budget does not cover what was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "views, previews, requests and answers may take {total_bytes} bytes together, of which {in_use_bytes} are in use, \
     and {wanted_bytes} more are needed; views.memoryLimit, views.maxConcurrent, views.maxRequestBytes and \
     views.maxResponseBytes set this budget"
)]
pub struct Exhausted {
    /// Bytes asked for.
    pub wanted_bytes: u64,
    /// Bytes that others held at that moment.
    pub in_use_bytes: u64,
    /// Bytes there are.
    pub total_bytes: u64,
}

impl Budget {
    /// A budget of which nothing is in use.
    #[must_use]
    pub fn new(total_bytes: u64) -> Self {
        Self(Arc::new(Inner {
            total_bytes,
            in_use_bytes: Mutex::new(0),
            freed: Condvar::new(),
        }))
    }

    /// Bytes in use now.
    #[must_use]
    pub fn in_use_bytes(&self) -> u64 {
        *self.lock()
    }

    /// Bytes there are.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.0.total_bytes
    }

    /// A charge of nothing, to be grown.
    #[must_use]
    pub fn empty_charge(&self) -> Charge {
        Charge {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// Takes a part.
    ///
    /// # Errors
    /// [`Exhausted`] when less is left; nothing is taken then.
    pub fn charge(&self, bytes: u64) -> Result<Charge, Exhausted> {
        let mut charge = self.empty_charge();
        charge.grow(bytes)?;
        Ok(charge)
    }

    fn take(&self, in_use_bytes: &mut u64, bytes: u64) -> Result<(), Exhausted> {
        let exhausted = Exhausted {
            wanted_bytes: bytes,
            in_use_bytes: *in_use_bytes,
            total_bytes: self.0.total_bytes,
        };
        let sum = in_use_bytes.checked_add(bytes).ok_or(exhausted)?;
        if sum > self.0.total_bytes {
            return Err(exhausted);
        }
        *in_use_bytes = sum;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // Nothing in between can panic.
        self.0.in_use_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge {
    /// Takes more.
    ///
    /// # Errors
    /// [`Exhausted`] when less is left; this charge stays as it is.
    pub fn grow(&mut self, bytes: u64) -> Result<(), Exhausted> {
        self.budget.take(&mut self.budget.lock(), bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes more, waiting until enough is free or `give_up` is true. Only for callers that hold next to nothing yet:
    /// those that wait while holding memory wait for each other.
    ///
    /// # Errors
    /// [`Exhausted`] when there never was enough, or the whole budget is too small.
    pub(super) fn grow_when_free(&mut self, bytes: u64, give_up: impl Fn() -> bool) -> Result<(), Exhausted> {
        let mut in_use_bytes = self.budget.lock();
        loop {
            match self.budget.take(&mut in_use_bytes, bytes) {
                Ok(()) => break,
                Err(exhausted) if bytes > exhausted.total_bytes - self.bytes || give_up() => return Err(exhausted),
                Err(_) => {
                    let waited = self.budget.0.freed.wait_timeout(in_use_bytes, LOOK_EVERY);
                    in_use_bytes = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        drop(in_use_bytes);
        self.bytes += bytes;
        Ok(())
    }

    /// Bytes this charge stands for.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ties the charge to the bytes it was taken for: it goes back with the last clone of what is returned.
    #[must_use]
    pub fn hold(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Held { bytes, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        *self.budget.lock() -= self.bytes;
        self.budget.0.freed.notify_all();
    }
}

struct Held<B> {
    bytes: B,
    _charge: Charge,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn budget_obeyed() {
        let budget = Budget::new(10);
        let mut charge = budget.charge(4).unwrap();
        charge.grow(6).unwrap();
        assert_eq!((budget.in_use_bytes(), charge.bytes()), (10, 10));
        drop(charge);
        assert_eq!(budget.in_use_bytes(), 0);
    }

    #[test]
    fn budget_violated() {
        let budget = Budget::new(10);
        let mut charge = budget.charge(4).unwrap();
        for wanted_bytes in [7, u64::MAX] {
            let exhausted = Exhausted {
                wanted_bytes,
                in_use_bytes: 4,
                total_bytes: 10,
            };
            assert_eq!(budget.charge(wanted_bytes).unwrap_err(), exhausted);
            assert_eq!(charge.grow(wanted_bytes).unwrap_err(), exhausted);
        }
        assert_eq!(budget.in_use_bytes(), 4);
    }

    #[test]
    fn bytes_hold_their_charge_to_the_last_clone() {
        let budget = Budget::new(10);
        let bytes = budget.charge(3).unwrap().hold(vec![1, 2, 3]);
        let clone = bytes.slice(1..);
        drop(bytes);
        assert_eq!((&clone[..], budget.in_use_bytes()), (&[2, 3][..], 3));
        drop(clone);
        assert_eq!(budget.in_use_bytes(), 0);
    }

    #[test]
    fn who_waits_gets_what_is_given_back() {
        let budget = Budget::new(10);
        let others = budget.charge(8).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut charge = budget.charge(1).unwrap();
                charge.grow_when_free(9, || false).map(|()| charge.bytes())
            });
            while budget.in_use_bytes() < 9 {
                thread::yield_now();
            }
            drop(others);
            assert_eq!(waiting.join().unwrap(), Ok(10));
        });
        assert_eq!(budget.in_use_bytes(), 0);
    }

    #[test]
    fn nobody_waits_for_what_cannot_come_or_beyond_their_time() {
        let budget = Budget::new(10);
        let others = budget.charge(8).unwrap();
        let mut charge = budget.charge(1).unwrap();
        assert!(
            charge
                .grow_when_free(10, || unreachable!("it looks no second time"))
                .is_err()
        );
        assert!(charge.grow_when_free(2, || true).is_err());
        assert_eq!(charge.bytes(), 1);
        drop(others);
    }
}
