//! The memory limit. A refusal depends on the limit alone, so the guest sees the same on every machine; where the
//! machine itself runs short, or the budget of all queries does, the guest is stopped instead.

use crds::pod::FaultClass;
use wasmtime::ResourceLimiter;

use super::{
    budget::{Budget, Charge, Exhausted},
    interrupt::Interrupt,
};
use crate::fault::Fault;

/// Elements one table may have. The largest modules known have some 10,000 functions in it; 8 bytes each, reserved.
pub(super) const TABLE_ELEMENTS_MAX: usize = 1 << 16;

/// Counts the linear memories of one instance together and refuses what goes beyond the limit.
#[derive(Debug)]
pub(super) struct MemoryLimits {
    limit_bytes: u64,
    /// The setting that `limit_bytes` comes from.
    setting: &'static str,
    /// What this process spends on one run. Beyond it the run is stopped; the guest never sees this bound.
    stop_above_bytes: u64,
    in_use_bytes: u64,
    refused: Option<Refused>,
    /// Where the memory comes from; none: from the machine, as for indexing.
    paid: Option<Paid>,
}

/// Memory that is charged to the budget of all queries.
#[derive(Debug)]
struct Paid {
    charge: Charge,
    /// Set while the instance is built: it holds nothing yet, so it may wait for others to end.
    patience: Option<Interrupt>,
}

/// A growth that was refused because of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What all memories together would have had.
    pub(super) wanted_bytes: u64,
    /// What they may have.
    pub(super) limit_bytes: u64,
    /// The setting that says so.
    pub(super) setting: &'static str,
}

impl MemoryLimits {
    /// Of an instance that indexes and has no memory yet.
    pub(super) fn of_indexing(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            setting: "memory.limit",
            stop_above_bytes: u64::MAX,
            in_use_bytes: 0,
            refused: None,
            paid: None,
        }
    }

    /// Of an instance that runs a block ahead: stopped where it would take more than `stop_above_bytes`.
    pub(super) fn of_scout(limit_bytes: u64, stop_above_bytes: u64) -> Self {
        Self {
            stop_above_bytes,
            ..Self::of_indexing(limit_bytes)
        }
    }

    /// Of an instance that answers a view. While it is built it waits for memory as long as `patience` says.
    pub(super) fn of_view(limit_bytes: u64, budget: &Budget, patience: Interrupt) -> Self {
        Self {
            setting: "views.memoryLimit",
            paid: Some(Paid {
                charge: budget.empty_charge(),
                patience: Some(patience),
            }),
            ..Self::of_indexing(limit_bytes)
        }
    }

    /// Of an instance that runs the block of a preview: refused what indexing would be refused, and stopped where it
    /// would take more than `stop_above_bytes`.
    pub(super) fn of_preview(limit_bytes: u64, stop_above_bytes: u64, budget: &Budget, patience: Interrupt) -> Self {
        Self {
            setting: "memory.limit",
            stop_above_bytes,
            ..Self::of_view(limit_bytes, budget, patience)
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
        if let Some(paid) = &mut self.paid {
            paid.patience = None;
        }
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
                setting: self.setting,
            });
            return Ok(false);
        }
        if wanted_bytes > self.stop_above_bytes {
            return Err(over(format!(
                "the guest wanted {wanted_bytes} bytes of memory, a preview may take {} (views.memoryLimit)",
                self.stop_above_bytes
            ))
            .into());
        }
        if let Some(paid) = &mut self.paid {
            let more_bytes = wanted_bytes.saturating_sub(self.in_use_bytes);
            paid.take(more_bytes).map_err(|exhausted| over(exhausted.to_string()))?;
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

impl Paid {
    fn take(&mut self, bytes: u64) -> Result<(), Exhausted> {
        match &self.patience {
            None => self.charge.grow(bytes),
            Some(interrupt) => self.charge.grow_when_free(bytes, || interrupt.check().is_err()),
        }
    }
}

fn over(message: String) -> Fault {
    Fault {
        class: FaultClass::Limit,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 65_536;

    #[test]
    fn memories_count_together() {
        let mut limits = MemoryLimits::of_indexing(4 * PAGE as u64);
        assert!(limits.memory_growing(0, 2 * PAGE, None).unwrap(), "the first memory");
        assert!(limits.memory_growing(0, PAGE, None).unwrap(), "the second");
        assert!(
            !limits.memory_growing(PAGE, 3 * PAGE, None).unwrap(),
            "five pages are too many"
        );
        let refused = Refused {
            wanted_bytes: 5 * PAGE as u64,
            limit_bytes: 4 * PAGE as u64,
            setting: "memory.limit",
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
        let mut limits = MemoryLimits::of_indexing(4 * PAGE as u64);
        assert!(!limits.memory_growing(PAGE, 9 * PAGE, Some(2 * PAGE)).unwrap());
        assert_eq!(limits.refused(), None);
    }

    #[test]
    fn what_the_process_does_not_give_stops_the_guest_and_is_no_refusal() {
        let budget = Budget::new(100 * PAGE as u64);
        let mut limits = MemoryLimits::of_preview(4 * PAGE as u64, 2 * PAGE as u64, &budget, Interrupt::default());
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
    fn memory_beyond_the_budget_stops_the_guest_and_comes_back_with_it() {
        let budget = Budget::new(3 * PAGE as u64);
        let view = || {
            let mut limits = MemoryLimits::of_view(4 * PAGE as u64, &budget, Interrupt::default());
            limits.begin_run();
            limits
        };
        let mut one = view();
        assert!(one.memory_growing(0, 2 * PAGE, None).unwrap());
        let mut other = view();
        assert!(other.memory_growing(0, PAGE, None).unwrap());
        let error = other.memory_growing(PAGE, 2 * PAGE, None).unwrap_err();
        let fault = error.downcast_ref::<Fault>().unwrap();
        assert_eq!(fault.class, FaultClass::Limit);
        assert!(
            fault.message.contains("196608 bytes together") && fault.message.contains("views.maxConcurrent"),
            "{fault}"
        );
        drop(one);
        assert!(other.memory_growing(PAGE, 2 * PAGE, None).unwrap());
        drop(other);
        assert_eq!(budget.in_use_bytes(), 0);
    }

    #[test]
    fn an_instance_that_is_built_waits_for_memory_until_its_deadline() {
        let budget = Budget::new(3 * PAGE as u64);
        let _others = budget.charge(2 * PAGE as u64).unwrap();
        let passed = Interrupt {
            deadline: Some(std::time::Instant::now()),
            ..Interrupt::default()
        };
        let mut limits = MemoryLimits::of_view(4 * PAGE as u64, &budget, passed);
        assert!(limits.memory_growing(0, 2 * PAGE, None).is_err());
        assert!(limits.memory_growing(0, PAGE, None).unwrap());
    }

    #[test]
    fn a_machine_that_runs_short_stops_the_guest() {
        let mut limits = MemoryLimits::of_indexing(4 * PAGE as u64);
        assert!(limits.memory_growing(0, PAGE, None).unwrap());
        let error = limits
            .memory_grow_failed(wasmtime::Error::msg("out of memory"))
            .unwrap_err();
        assert_eq!(error.downcast_ref::<Fault>().unwrap().class, FaultClass::Host);
    }

    #[test]
    fn tables_end_at_a_fixed_size() {
        let mut limits = MemoryLimits::of_indexing(0);
        assert!(limits.table_growing(0, TABLE_ELEMENTS_MAX, None).unwrap());
        assert!(!limits.table_growing(0, TABLE_ELEMENTS_MAX + 1, None).unwrap());
        assert!(!limits.table_growing(0, 11, Some(10)).unwrap());
    }
}
