//! What was seen of the memory of a revision's pods.

use crate::facts::ObservedPod;

/// Filters and indexes get four fifths of a store's memory, see `crds::store_memory`.
const FILTERS_SHARE: (u64, u64) = (5, 4);

/// Peaks over all pods of a revision, since somebody began to look. Resident memory is what reports said; a spike between
/// two of them is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The most that a process had resident, in bytes; 0: none has reported.
    pub process_bytes: u64,
    /// The pod in which that was.
    pub process_pod: String,
    /// The most that a guest's linear memory was, in bytes; 0: no block has been run.
    pub guest_bytes: u64,
    /// The pod in which that was.
    pub guest_pod: String,
    /// The height at which that was.
    pub guest_height: Option<u32>,
    /// What the largest store may take, in bytes; unknown until one is open.
    pub store_bytes: Option<u64>,
    /// The lowest and the highest height that was reported.
    heights: Option<(u32, u32)>,
    /// Blocks that a process has run, each in a fresh instance.
    fresh_blocks: u64,
}

impl Seen {
    /// Adds what a pod reports.
    pub fn add(&mut self, pod: &ObservedPod) {
        let Some(report) = pod.sample.answer() else { return };
        let memory = &report.memory;
        self.add_process(&pod.name, memory.resident_bytes);
        if memory.guest_peak_bytes > self.guest_bytes {
            self.guest_bytes = memory.guest_peak_bytes;
            self.guest_pod.clone_from(&pod.name);
            self.guest_height = memory.guest_peak_height;
        }
        let filters = report.store.as_ref().map(|store| store.filters_max_bytes);
        let store = filters.map(|bytes| bytes.saturating_mul(FILTERS_SHARE.0) / FILTERS_SHARE.1);
        self.store_bytes = self.store_bytes.max(store.filter(|bytes| *bytes > 0));
        if let Some(height) = report.height {
            let (low, high) = self.heights.unwrap_or((height, height));
            self.heights = Some((low.min(height), high.max(height)));
        }
        self.fresh_blocks = self.fresh_blocks.max(memory.refreshes.block);
    }

    /// Adds that a process of a pod had this many bytes.
    pub fn add_process(&mut self, pod: &str, bytes: u64) {
        if bytes > self.process_bytes {
            self.process_bytes = bytes;
            pod.clone_into(&mut self.process_pod);
        }
    }

    /// How many blocks the figures are about, at least.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        let indexed = self.heights.map_or(0, |(low, high)| u64::from(high - low));
        indexed.max(self.fresh_blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::Sample,
        fixtures::{following, observed_pod},
    };

    fn reporting(name: &str, height: u32, resident: u64, guest: u64) -> ObservedPod {
        let mut report = following(height);
        (report.memory.resident_bytes, report.memory.guest_peak_bytes) = (resident, guest);
        ObservedPod {
            sample: Sample::Answer(Box::new(report)),
            ..observed_pod(name)
        }
    }

    #[test]
    fn peaks_of_all_pods_are_kept_with_where_they_were() {
        let mut seen = Seen::default();
        seen.add(&observed_pod("one-2"));
        assert_eq!(seen, Seen::default(), "a pod that does not report");
        seen.add(&reporting("one-0", 100, 300, 20));
        seen.add(&reporting("one-1", 104, 200, 40));
        seen.add(&reporting("one-0", 101, 250, 30));
        assert_eq!((seen.process_bytes, seen.process_pod.as_str()), (300, "one-0"));
        assert_eq!((seen.guest_bytes, seen.guest_pod.as_str()), (40, "one-1"));
        assert_eq!((seen.guest_height, seen.blocks()), (Some(90), 4));
    }

    #[test]
    fn blocks_in_fresh_instances_count_too_and_the_store_as_it_may_become() {
        let mut pod = reporting("one-0", 100, 1, 1);
        let Sample::Answer(report) = &mut pod.sample else {
            panic!()
        };
        report.memory.refreshes.block = 500;
        report.store = Some(crds::pod::Store {
            filters_max_bytes: 800,
            ..crds::pod::Store::default()
        });
        let mut seen = Seen::default();
        seen.add(&pod);
        assert_eq!((seen.blocks(), seen.store_bytes), (500, Some(1000)));
    }
}
