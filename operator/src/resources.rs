//! (pure) Container resources, derived from the memory limits of a spec in this one place.

use std::collections::BTreeMap;

use crds::{memory_budget, pod::Views};
use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};

const MIB: u64 = 1 << 20;
/// An idle pod follows a chain with a few milliseconds of work for each block; more is taken where the node has it.
const CPU_REQUEST: &str = "100m";

/// The resources of a container whose spec gives none: memory as [`memory_budget`] divides it, and 100m of CPU without a
/// limit, which would only slow a bulk sync down.
#[must_use]
pub fn derive(threshold_bytes: u64, limit_bytes: u64, views: &Views, cache_bytes: Option<u64>) -> ResourceRequirements {
    let memory = memory_budget(threshold_bytes, limit_bytes, views, cache_bytes);
    ResourceRequirements {
        requests: Some(BTreeMap::from([
            ("cpu".to_owned(), Quantity(CPU_REQUEST.to_owned())),
            ("memory".to_owned(), Quantity(quantity_text(memory.request_bytes))),
        ])),
        limits: Some(BTreeMap::from([(
            "memory".to_owned(),
            Quantity(quantity_text(memory.limit_bytes)),
        )])),
        claims: None,
    }
}

/// A byte count in the canonical form of the API server, so that comparing texts compares values.
#[must_use]
pub fn quantity_text(bytes: u64) -> String {
    let (unit, suffix) = [(1 << 30, "Gi"), (MIB, "Mi"), (1 << 10, "Ki")]
        .into_iter()
        .find(|(unit, _)| bytes.is_multiple_of(*unit))
        .unwrap_or((1, ""));
    format!("{}{suffix}", bytes / unit)
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
            assert_eq!(quantity_text(bytes), text);
        }
    }
}
