//! (pure) How the objects that exist differ from those that are planned.

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::Value;

use super::{
    covers::covers,
    replacing::{Next, next},
};
use crate::{
    facts::{Observed, VolumeClaim},
    objects::{ChildKind, revision_of, uid, version},
    plan::{Child, Plan},
};

/// What must be done to get from what there is to the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes<'a> {
    /// Objects to apply, in order.
    pub apply: Vec<Cow<'a, Child>>,
    /// Claims for volumes, and the unique id of the owner that they are to be freed of.
    pub release: Vec<(&'a VolumeClaim, String)>,
    /// Sets to delete without their pods, to be recreated.
    pub orphan: Vec<Pruned>,
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
        let exists = |child: &Cow<'_, Child>| observed.children.contains_key(&(child.kind, child.name.clone()));
        let Self {
            apply,
            release,
            orphan,
            prune,
        } = self;
        !(release.is_empty() && orphan.is_empty() && prune.is_empty()) || apply.iter().any(exists)
    }
}

/// Compares the plan with the existing objects.
#[must_use]
pub fn changes<'a>(plan: &'a Plan, observed: &'a Observed) -> Changes<'a> {
    let mut changes = Changes {
        prune: prune(plan, observed),
        ..Changes::default()
    };
    for child in &plan.children {
        let live = observed.children.get(&(child.kind, child.name.clone()));
        if child.kind != ChildKind::StatefulSet {
            if !live.is_some_and(|live| covers(live, &child.body)) {
                changes.apply.push(Cow::Borrowed(child));
            }
            continue;
        }
        match next(child, live, &observed.claims) {
            Next::Nothing => {}
            Next::Apply(child) => changes.apply.push(child),
            Next::Release(claims) => {
                let owner = live.and_then(uid).unwrap_or_default();
                changes
                    .release
                    .extend(claims.into_iter().map(|claim| (claim, owner.clone())));
            }
            Next::Orphan => changes
                .orphan
                .extend(live.and_then(|live| pruned(child.kind, &child.name, live))),
        }
    }
    changes
}

/// What exists and is not planned.
fn prune(plan: &Plan, observed: &Observed) -> Vec<Pruned> {
    let planned: BTreeSet<(ChildKind, &str)> = plan.children.iter().map(|c| (c.kind, c.name.as_str())).collect();
    let children = observed.children.iter();
    children
        .filter(|((kind, name), live)| !planned.contains(&(*kind, name)) && !is_being_deleted(live))
        .filter(|(_, live)| !revision_of(live).is_some_and(|revision| plan.untouched.contains(&revision)))
        .filter_map(|((kind, name), live)| pruned(*kind, name, live))
        .collect()
}

fn pruned(kind: ChildKind, name: &str, live: &Value) -> Option<Pruned> {
    Some(Pruned {
        kind,
        name: name.to_owned(),
        uid: uid(live)?,
        version: version(live),
    })
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
        memory::Memories,
        names,
        plan::plan,
        storage::Sizes,
    };

    fn planned() -> Plan {
        plan(&valid(), &settled(&valid()), &Sizes::default(), &Memories::default())
    }

    #[test]
    fn what_is_as_planned_is_left_alone() {
        let plan = planned();
        let observed = live(&plan);
        assert_eq!(changes(&plan, &observed), Changes::default());
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
        let plan = plan(&valid, &settled(&valid), &Sizes::default(), &Memories::default());
        let mut observed = live(&plan);
        let set = (ChildKind::StatefulSet, names::of_revision("one", &valid.revision));
        let spec = &mut observed.children.get_mut(&set).unwrap()["spec"];
        spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = json!("10Gi");
        let limits = &mut spec["template"]["spec"]["containers"][0]["resources"]["limits"];
        *limits = json!({"cpu": "1", "memory": "4Gi"});
        assert_eq!(changes(&plan, &observed), Changes::default());
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
