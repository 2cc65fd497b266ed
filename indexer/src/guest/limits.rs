//! The memory limit. A refusal depends on the limit alone, so the guest sees the same on every machine; where the
//! machine itself runs short, the guest is stopped instead of told.

use crds::pod::FaultClass;
use wasmtime::ResourceLimiter;

use super::engine::TABLE_ELEMENTS_MAX;
use crate::fault::Fault;

/// Counts the linear memories of one instance together and refuses what goes beyond the limit.
#[derive(Debug)]
pub(super) struct MemoryLimits {
    limit_bytes: u64,
    /// What this process spends on one run. Beyond it the run is stopped; the guest never sees this bound.
    stop_above_bytes: u64,
    in_use_bytes: u64,
    refused: Option<Refused>,
}

/// A growth that was refused because of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What all memories together would have had.
    pub(super) wanted_bytes: u64,
    /// What they may have.
    pub(super) limit_bytes: u64,
}

impl MemoryLimits {
    /// Of an instance that has no memory yet.
    pub(super) fn new(limit_bytes: u64) -> Self {
        Self::stopped_above(limit_bytes, u64::MAX)
    }

    /// The same, and the run fails with class `Limit` where it would take more than `stop_above_bytes`.
    pub(super) fn stopped_above(limit_bytes: u64, stop_above_bytes: u64) -> Self {
        Self {
            limit_bytes,
            stop_above_bytes,
            in_use_bytes: 0,
            refused: None,
        }
    }

    /// Linear memory in use, all memories together.
    pub(super) fn in_use_bytes(&self) -> u64 {
        self.in_use_bytes
    }

    /// The last refusal since the run began.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// A new run begins: what was refused before is no reason for its failures.
    pub(super) fn begin_run(&mut self) {
        self.refused = None;
    }
}

impl ResourceLimiter for MemoryLimits {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // The module's own declaration comes first: with it the guest was never going to get more, whatever the limit.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted_bytes = self
            .in_use_bytes
            .saturating_sub(current as u64)
            .saturating_add(desired as u64);
        if wanted_bytes > self.limit_bytes {
            self.refused = Some(Refused {
                wanted_bytes,
                limit_bytes: self.limit_bytes,
            });
            return Ok(false);
        }
        if wanted_bytes > self.stop_above_bytes {
            let message = format!(
                "the guest wanted {wanted_bytes} bytes of memory, {} are given to it here",
                self.stop_above_bytes
            );
            return Err(Fault {
                class: FaultClass::Limit,
                message,
            }
            .into());
        }
        self.in_use_bytes = wanted_bytes;
        Ok(true)
    }

    /// Only reached for growth that was granted above: the machine could not deliver.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        let wanted = self.in_use_bytes;
        Err(Fault::host(format!(
            "this machine cannot give the guest its {wanted} bytes of memory: {error:#}"
        ))
        .into())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= maximum.unwrap_or(usize::MAX).min(TABLE_ELEMENTS_MAX))
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Fault::host(format!("this machine cannot give the guest its table: {error:#}")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 65_536;

    #[test]
    fn memories_count_together() {
        let mut limits = MemoryLimits::new(4 * PAGE as u64);
        assert!(limits.memory_growing(0, 2 * PAGE, None).unwrap(), "the first memory");
        assert!(limits.memory_growing(0, PAGE, None).unwrap(), "the second");
        assert!(
            !limits.memory_growing(PAGE, 3 * PAGE, None).unwrap(),
            "five pages are too many"
        );
        let refused = Refused {
            wanted_bytes: 5 * PAGE as u64,
            limit_bytes: 4 * PAGE as u64,
        };
        assert_eq!(limits.refused(), Some(refused));
        assert!(
            limits.memory_growing(PAGE, 2 * PAGE, None).unwrap(),
            "four are allowed, after a refusal too"
        );
        assert_eq!(limits.in_use_bytes(), 4 * PAGE as u64);
        limits.begin_run();
        assert_eq!(limits.refused(), None);
    }

    #[test]
    fn a_declared_maximum_is_the_modules_own_limit() {
        let mut limits = MemoryLimits::new(4 * PAGE as u64);
        assert!(!limits.memory_growing(PAGE, 9 * PAGE, Some(2 * PAGE)).unwrap());
        assert_eq!(limits.refused(), None);
    }

    #[test]
    fn what_the_process_does_not_give_stops_the_guest_and_is_no_refusal() {
        let mut limits = MemoryLimits::stopped_above(4 * PAGE as u64, 2 * PAGE as u64);
        assert!(limits.memory_growing(0, 2 * PAGE, None).unwrap());
        let error = limits.memory_growing(2 * PAGE, 3 * PAGE, None).unwrap_err();
        assert_eq!(error.downcast_ref::<Fault>().unwrap().class, FaultClass::Limit);
        assert_eq!(limits.refused(), None);
        assert!(
            !limits.memory_growing(2 * PAGE, 5 * PAGE, None).unwrap(),
            "the limit comes first"
        );
    }

    #[test]
    fn a_machine_that_runs_short_stops_the_guest() {
        let mut limits = MemoryLimits::new(4 * PAGE as u64);
        assert!(limits.memory_growing(0, PAGE, None).unwrap());
        let error = limits
            .memory_grow_failed(wasmtime::Error::msg("out of memory"))
            .unwrap_err();
        assert_eq!(error.downcast_ref::<Fault>().unwrap().class, FaultClass::Host);
    }

    #[test]
    fn tables_end_at_a_fixed_size() {
        let mut limits = MemoryLimits::new(0);
        assert!(limits.table_growing(0, TABLE_ELEMENTS_MAX, None).unwrap());
        assert!(!limits.table_growing(0, TABLE_ELEMENTS_MAX + 1, None).unwrap());
        assert!(!limits.table_growing(0, 11, Some(10)).unwrap());
    }
}
