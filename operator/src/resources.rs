//! (pure) Container resources, derived from the memory limits of a spec in this one place.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};

const MIB: u64 = 1 << 20;
/// What a pod normally needs in addition to the guest: the store's caches and write buffers, blocks in flight.
const WORKING_SET_BYTES: u64 = 512 * MIB;
/// What it may need at worst in addition to guest and views: twice the working set, for compactions and bursts of
/// blocks.
const HEADROOM_BYTES: u64 = 1024 * MIB;
/// At the tip a pod does a few milliseconds of work per block; it uses more where the node has it.
const CPU_REQUEST: &str = "100m";

/// The default resources of a container:
///
/// | | request | limit |
/// |---|---|---|
/// | memory | `memory.threshold` + 512Mi | `memory.limit` + `views.memoryLimit` + 1Gi |
/// | cpu | 100m | none: a limit would only slow a bulk sync down |
#[must_use]
pub fn derive(threshold_bytes: u64, limit_bytes: u64, view_limit_bytes: u64) -> ResourceRequirements {
    let request = threshold_bytes + WORKING_SET_BYTES;
    let limit = limit_bytes + view_limit_bytes + HEADROOM_BYTES;
    ResourceRequirements {
        requests: Some(BTreeMap::from([
            ("cpu".to_owned(), Quantity(CPU_REQUEST.to_owned())),
            ("memory".to_owned(), quantity(request)),
        ])),
        limits: Some(BTreeMap::from([("memory".to_owned(), quantity(limit))])),
        claims: None,
    }
}

/// A byte count in the canonical form of the API server, so that comparing texts compares values.
fn quantity(bytes: u64) -> Quantity {
    let (unit, suffix) = [(1 << 30, "Gi"), (MIB, "Mi"), (1 << 10, "Ki")]
        .into_iter()
        .find(|(unit, _)| bytes.is_multiple_of(*unit))
        .unwrap_or((1, ""));
    Quantity(format!("{}{suffix}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_take_the_largest_unit_that_divides_them() {
        for (bytes, text) in [
            (5 << 30, "5Gi"),
            (2304 * MIB, "2304Mi"),
            (65 << 10, "65Ki"),
            (1_000_001, "1000001"),
        ] {
            assert_eq!(quantity(bytes).0, text);
        }
    }
}
