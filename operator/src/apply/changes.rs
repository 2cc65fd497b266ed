//! (pure) How the objects that exist differ from those that are planned.

use std::collections::BTreeSet;

use serde_json::Value;

use super::quantity;
use crate::{
    facts::Observed,
    objects::{ChildKind, revision_of, uid, version},
    plan::{Child, Plan},
};

/// Fields of planned objects that hold quantities, or nothing but quantities.
const QUANTITIES: [&str; 3] = ["limits", "requests", "sizeLimit"];

/// What must be done to get from what there is to the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes<'a> {
    /// Objects to apply, in order.
    pub apply: Vec<&'a Child>,
    /// Objects to delete.
    pub prune: Vec<Pruned>,
}

/// An object to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Its kind.
    pub kind: ChildKind,
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub uid: String,
    /// The version that was decided on.
    pub version: Option<String>,
}

impl Changes<'_> {
    /// Whether something that exists is changed or goes.
    #[must_use]
    pub fn touch_what_exists(&self, observed: &Observed) -> bool {
        let exists = |child: &&Child| observed.children.contains_key(&(child.kind, child.name.clone()));
        !self.prune.is_empty() || self.apply.iter().any(exists)
    }
}

/// Compares the plan with the existing objects.
#[must_use]
pub fn changes<'a>(plan: &'a Plan, observed: &Observed) -> Changes<'a> {
    let live = |child: &Child| observed.children.get(&(child.kind, child.name.clone()));
    let apply = plan
        .children
        .iter()
        .filter(|c| !live(c).is_some_and(|live| covers(live, &c.body, false)))
        .collect();
    let planned: BTreeSet<(ChildKind, &str)> = plan.children.iter().map(|c| (c.kind, c.name.as_str())).collect();
    let prune = observed
        .children
        .iter()
        .filter(|((kind, name), live)| !planned.contains(&(*kind, name)) && !is_being_deleted(live))
        .filter(|(_, live)| !revision_of(live).is_some_and(|revision| plan.untouched.contains(&revision)))
        .filter_map(|((kind, name), live)| {
            Some(Pruned {
                kind: *kind,
                name: name.clone(),
                uid: uid(live)?,
                version: version(live),
            })
        })
        .collect();
    Changes { apply, prune }
}

/// Whether an object has every planned field with the planned value. The API server adds fields of its own, and writes
/// quantities its own way; the annotation with the hash of the plan tells of fields that are no longer planned.
fn covers(live: &Value, planned: &Value, are_quantities: bool) -> bool {
    match (live, planned) {
        (Value::Object(live), Value::Object(planned)) => planned.iter().all(|(key, planned)| {
            let are_quantities = are_quantities || QUANTITIES.contains(&key.as_str());
            live.get(key).is_some_and(|live| covers(live, planned, are_quantities))
        }),
        (Value::Array(live), Value::Array(planned)) => {
            let mut pairs = live.iter().zip(planned);
            live.len() == planned.len() && pairs.all(|(live, planned)| covers(live, planned, are_quantities))
        }
        (Value::String(live), Value::String(planned)) if are_quantities => quantity::is_same(live, planned),
        (live, planned) => live == planned,
    }
}

fn is_being_deleted(live: &Value) -> bool {
    !live["metadata"]["deletionTimestamp"].is_null()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        fixtures::{live, settled, valid},
        names,
        plan::plan,
    };

    fn planned() -> Plan {
        plan(&valid(), &settled(&valid()))
    }

    #[test]
    fn what_is_as_planned_is_left_alone() {
        let plan = planned();
        let observed = live(&plan);
        let found = changes(&plan, &observed);
        assert_eq!(
            found,
            Changes {
                apply: vec![],
                prune: vec![]
            }
        );
    }

    #[test]
    fn an_edited_field_and_a_field_that_left_the_plan_are_put_right() {
        let plan = planned();
        let mut observed = live(&plan);
        let service = (ChildKind::Service, "one".to_owned());
        observed.children.get_mut(&service).unwrap()["spec"]["selector"] = json!({"app": "mine"});
        let budget = (ChildKind::PodDisruptionBudget, "one".to_owned());
        observed.children.get_mut(&budget).unwrap()["metadata"]["annotations"][names::ANNOTATION_APPLIED] =
            json!("old");
        let changed: Vec<ChildKind> = changes(&plan, &observed).apply.iter().map(|child| child.kind).collect();
        assert_eq!(changed, [ChildKind::Service, ChildKind::PodDisruptionBudget]);
    }

    #[test]
    fn a_quantity_that_the_api_server_writes_its_own_way_is_as_planned() {
        let mut valid = valid();
        valid.storage.size.0 = "10240Mi".into();
        valid.resources = serde_json::from_value(json!({"limits": {"cpu": "1000m", "memory": "4096Mi"}})).unwrap();
        let plan = plan(&valid, &settled(&valid));
        let mut observed = live(&plan);
        let set = (ChildKind::StatefulSet, names::of_revision("one", &valid.revision));
        let spec = &mut observed.children.get_mut(&set).unwrap()["spec"];
        spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = json!("10Gi");
        let limits = &mut spec["template"]["spec"]["containers"][0]["resources"]["limits"];
        *limits = json!({"cpu": "1", "memory": "4Gi"});
        assert_eq!(changes(&plan, &observed).apply, [] as [&Child; 0]);
        let spec = &mut observed.children.get_mut(&set).unwrap()["spec"];
        spec["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("2");
        assert_eq!(changes(&plan, &observed).apply.len(), 1);
    }

    #[test]
    fn objects_of_an_earlier_revision_are_pruned_once() {
        let plan = planned();
        let mut observed = live(&plan);
        let old = json!({"metadata": {"name": "one-0000000000", "uid": "u1", "resourceVersion": "7"}});
        let going = json!({"metadata": {"name": "one-1", "uid": "u2", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        observed
            .children
            .insert((ChildKind::StatefulSet, "one-0000000000".into()), old);
        observed
            .children
            .insert((ChildKind::StatefulSet, "one-1".into()), going);
        let expected = [Pruned {
            kind: ChildKind::StatefulSet,
            name: "one-0000000000".into(),
            uid: "u1".into(),
            version: Some("7".into()),
        }];
        assert_eq!(changes(&plan, &observed).prune, expected);
    }
}
