//! The memory that containers of each revision are given.

use std::collections::BTreeMap;

use crds::{Identity, MemoryRecommendation, ProcessMemory, Revision, memory_budget, store_memory};
use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};

use crate::{
    facts::{ContainerMemory, Observed, resized_template},
    resources::quantity_text,
    rollout::Decision,
    validate::ValidIndexer,
};

/// What a request stays below a limit where the two are not declared equal: a pod whose requests equal its limits is of
/// another quality of service, which no pod may become.
const APART_BYTES: u64 = 1 << 20;

/// Memory by revision, where `memory.resize` has the operator decide; what is declared for all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memories(BTreeMap<Revision, ContainerMemory>);

impl Memories {
    /// Memory for the containers of every revision that has objects: what is recommended, within `memory.maxLimit`, else
    /// what is declared, or what its template was given before if that is more.
    #[must_use]
    pub fn of(
        valid: &ValidIndexer,
        decision: &Decision,
        recommended: &BTreeMap<Revision, MemoryRecommendation>,
        observed: &Observed,
    ) -> Self {
        let Some(max) = valid.max_limit_bytes else {
            return Self::default();
        };
        let sets = decision.sets.iter().map(|(revision, record)| {
            let declared = ContainerMemory::of(&valid.resources_of(&record.identity));
            let wanted = recommended.get(revision).and_then(figures).unwrap_or_else(|| {
                let before = resized_template(&valid.name, revision, observed).unwrap_or_default();
                ContainerMemory {
                    request: before.request.max(declared.request),
                    limit: before.limit.max(declared.limit),
                }
            });
            (revision.clone(), within(declared, wanted, max))
        });
        Self(sets.collect())
    }

    /// What the containers of a revision are to have; none where the operator does not decide.
    #[must_use]
    pub fn get(&self, revision: &Revision) -> Option<ContainerMemory> {
        self.0.get(revision).copied()
    }

    /// The resources of the containers of a revision.
    #[must_use]
    pub fn resources(&self, valid: &ValidIndexer, revision: &Revision, identity: &Identity) -> ResourceRequirements {
        let mut resources = valid.resources_of(identity);
        let Some(memory) = self.get(revision) else {
            return resources;
        };
        let put = |map: &mut Option<BTreeMap<String, Quantity>>, bytes: Option<u64>| {
            if let Some(bytes) = bytes {
                let quantity = Quantity(quantity_text(bytes));
                map.get_or_insert_default().insert("memory".to_owned(), quantity);
            }
        };
        put(&mut resources.requests, memory.request);
        put(&mut resources.limits, memory.limit);
        resources
    }
}

/// The store's memory where the operator changes what its process has: what it would have with the declared limit,
/// since it derives that from the limit it finds when it starts. None where it stays its own affair.
#[must_use]
pub fn store_bytes(valid: &ValidIndexer, identity: &Identity) -> Option<u64> {
    valid.max_limit_bytes?;
    let declared = ContainerMemory::of(&valid.resources_of(identity)).limit?;
    let limit = identity.memory_limit_bytes;
    let views = memory_budget(0, limit, &valid.views, None).views_bytes;
    let store = store_memory(ProcessMemory::Limit(declared), limit, views, None);
    Some(store.filters_bytes.saturating_add(store.kept_bytes))
}

fn figures(recommended: &MemoryRecommendation) -> Option<ContainerMemory> {
    Some(ContainerMemory {
        request: Some(recommended.request.bytes().ok()?),
        limit: Some(recommended.limit.bytes().ok()?),
    })
}

/// What is wanted, for what is declared at all: no limit is added to a pod that has none, and none is removed.
fn within(declared: ContainerMemory, wanted: ContainerMemory, max: u64) -> ContainerMemory {
    let limit = declared.limit.and(wanted.limit).map(|limit| limit.min(max));
    let request = match limit {
        // Without a request, Kubernetes takes the limit for it.
        Some(limit) if declared.request.is_none_or(|request| Some(request) == declared.limit) => Some(limit),
        Some(limit) => wanted
            .request
            .map(|request| request.min(limit.saturating_sub(APART_BYTES))),
        None => declared.request.and(wanted.request).map(|request| request.min(max)),
    };
    ContainerMemory { request, limit }
}

#[cfg(test)]
mod tests {
    use crds::ByteSize;
    use serde_json::json;

    use super::*;
    use crate::{
        fixtures::{settled, stateful_set, valid},
        names,
    };

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    fn resized() -> ValidIndexer {
        ValidIndexer {
            max_limit_bytes: Some(4 * GIB),
            ..valid()
        }
    }

    fn memory(request: Option<u64>, limit: Option<u64>) -> ContainerMemory {
        ContainerMemory { request, limit }
    }

    fn found(valid: &ValidIndexer, recommended: Option<(&str, &str)>, observed: &Observed) -> Option<ContainerMemory> {
        let recommended = recommended.map(|(request, limit)| {
            let it = MemoryRecommendation {
                request: ByteSize(request.into()),
                limit: ByteSize(limit.into()),
                reason: String::new(),
            };
            (valid.revision.clone(), it)
        });
        let recommended = recommended.into_iter().collect();
        Memories::of(valid, &settled(valid), &recommended, observed).get(&valid.revision)
    }

    #[test]
    fn nothing_is_decided_unless_it_is_asked_for() {
        assert_eq!(found(&valid(), Some(("1Gi", "2Gi")), &Observed::default()), None);
        let valid = valid();
        let resources = Memories::default().resources(&valid, &valid.revision, &valid.identity);
        assert_eq!(resources, valid.resources_of(&valid.identity));
        assert_eq!(store_bytes(&valid, &valid.identity), None);
    }

    #[test]
    fn what_is_recommended_is_given_within_the_largest_limit_and_as_it_is_declared() {
        let nothing = json!({});
        let both = json!({"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}});
        let equal = json!({"requests": {"memory": "512Mi"}, "limits": {"memory": "512Mi"}});
        let (only_limit, only_request) = (
            json!({"limits": {"memory": "512Mi"}}),
            json!({"requests": {"memory": "1Gi"}}),
        );
        let figures = Some(("1Gi", "2Gi"));
        let large = Some(("6Gi", "8Gi"));
        let cases = [
            ("recommended", &both, figures, memory(Some(GIB), Some(2 * GIB))),
            (
                "beyond the largest",
                &both,
                large,
                memory(Some(4 * GIB - MIB), Some(4 * GIB)),
            ),
            ("of equal ones", &equal, figures, memory(Some(2 * GIB), Some(2 * GIB))),
            (
                "where the request is the limit",
                &only_limit,
                figures,
                memory(Some(2 * GIB), Some(2 * GIB)),
            ),
            ("without a limit", &only_request, large, memory(Some(4 * GIB), None)),
            ("of nothing", &nothing, figures, memory(None, None)),
            ("not yet", &both, None, memory(Some(256 * MIB), Some(512 * MIB))),
        ];
        for (what, declared, recommended, expected) in cases {
            let mut valid = resized();
            valid.resources = Some(serde_json::from_value(declared.clone()).unwrap());
            assert_eq!(
                found(&valid, recommended, &Observed::default()),
                Some(expected),
                "{what}"
            );
        }
        let derived = found(&resized(), None, &Observed::default());
        assert_eq!(
            derived,
            Some(memory(Some(2304 * MIB), Some(4 * GIB))),
            "and none larger at the start"
        );
    }

    #[test]
    fn what_a_template_was_given_stays_while_nothing_is_known() {
        let mut set = stateful_set("new");
        let template = json!({
            "metadata": {"annotations": {names::ANNOTATION_TEMPLATE: "1"}},
            "spec": {"containers": [{"name": "indexer", "resources": {
                "requests": {"memory": "256Mi"}, "limits": {"memory": "3Gi"}}}]},
        });
        set.spec = Some(serde_json::from_value(json!({"template": template, "selector": {}})).unwrap());
        let mut observed = Observed {
            stateful_sets: vec![set],
            ..Observed::default()
        };
        let mut valid = resized();
        valid.resources =
            serde_json::from_value(json!({"requests": {"memory": "512Mi"}, "limits": {"memory": "1Gi"}})).unwrap();
        assert_eq!(
            found(&valid, None, &observed),
            Some(memory(Some(512 * MIB), Some(3 * GIB)))
        );
        let template = &mut observed.stateful_sets[0].spec.as_mut().unwrap().template;
        template.metadata = None;
        let declared = memory(Some(512 * MIB), Some(GIB));
        assert_eq!(found(&valid, None, &observed), Some(declared), "it was made without");
    }

    #[test]
    fn a_store_keeps_the_memory_that_it_would_have_with_the_declared_limit() {
        let valid = resized();
        assert_eq!(store_bytes(&valid, &valid.identity), Some(704 * MIB));
        let mut small = resized();
        small.resources = Some(serde_json::from_value(json!({"limits": {"memory": "512Mi"}})).unwrap());
        assert_eq!(store_bytes(&small, &small.identity), Some(crds::STORE_BYTES_MIN));
        small.resources = Some(ResourceRequirements::default());
        assert_eq!(store_bytes(&small, &small.identity), None);
    }
}
