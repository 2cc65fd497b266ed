//! The folder a team starts from: every environment is an Indexer that the API server and the operator take, its module
//! is in one file, and Flux and Argo CD point at what is there. Kustomize itself runs in `scripts/chart`.

use std::path::PathBuf;

use crds::{Indexer, unknown_fields};
use kube::CustomResourceExt as _;
use kube_cel::Validator;
use operator::validate::{Defaults, validate};
use serde_json::Value;

use crate::{read_yaml, repository};

const ENVIRONMENTS: [&str; 2] = ["staging", "production"];

fn example(path: &str) -> PathBuf {
    repository().join("integrations/gitops-repository").join(path)
}

fn environment(name: &str, file: &str) -> Value {
    read_yaml(&example(&format!("environments/{name}/{file}")))
}

/// What Kustomize makes of an environment: the base, patched as it patches kinds it does not know, in the namespace.
fn rendered(name: &str) -> Value {
    let kustomization = environment(name, "kustomization.yaml");
    let mut indexer = read_yaml(&example("base/indexer.yaml"));
    for patch in kustomization["patches"].as_array().unwrap() {
        merge(&mut indexer, &environment(name, patch["path"].as_str().unwrap()));
    }
    indexer["metadata"]["namespace"] = kustomization["namespace"].clone();
    indexer
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

#[track_caller]
fn accepted(what: &str, document: &Value) {
    assert_eq!(unknown_fields(document), Vec::<String>::new(), "{what}");
    let mut indexer: Indexer = serde_json::from_value(document.clone()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let crd = serde_json::to_value(Indexer::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let object = serde_json::to_value(&indexer).unwrap();
    let judged = Validator::new().validate(schema, &object, None);
    judged.unwrap_or_else(|e| panic!("{what}: {e}"));
    // What an object in the API server has, beyond what is in git.
    indexer.metadata.namespace.get_or_insert("default".into());
    indexer.metadata.uid = Some("uid".into());
    let defaults = Defaults {
        image: "registry.example/shrewd-indexer:test".into(),
        plain_http_registries: Vec::new(),
        pods: operator::pod_defaults::PodDefaults::default(),
        access: None,
    };
    validate(&indexer, &defaults).unwrap_or_else(|e| panic!("{what}: {e:?}"));
}

#[test]
fn environments_are_indexers_without_a_flaw() {
    for name in ENVIRONMENTS {
        accepted(name, &rendered(name));
    }
}

#[test]
fn examples_are_indexers_without_a_flaw() {
    for name in ["outpoints", "leaky"] {
        accepted(name, &read_yaml(&repository().join(format!("examples/{name}.yaml"))));
    }
}

#[test]
fn a_release_is_one_file_and_that_file_is_nothing_else() {
    assert!(read_yaml(&example("base/indexer.yaml"))["spec"]["module"].is_null());
    for name in ENVIRONMENTS {
        assert!(environment(name, "settings.yaml")["spec"]["module"].is_null(), "{name}");
        let release = environment(name, "module.yaml");
        let fields: Vec<&String> = release["spec"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["module"], "{name}");
    }
}

#[test]
fn production_takes_what_staging_runs_by_a_copy() {
    let mut promoted = read_yaml(&example("base/indexer.yaml"));
    merge(&mut promoted, &environment("staging", "module.yaml"));
    merge(&mut promoted, &environment("production", "settings.yaml"));
    assert_eq!(promoted["spec"]["module"], rendered("staging")["spec"]["module"]);
    assert_eq!(promoted["spec"]["chain"], rendered("production")["spec"]["chain"]);
}

#[test]
fn flux_waits_for_each_environment() {
    let source = read_yaml(&example("flux/source.yaml"));
    for name in ENVIRONMENTS {
        let sync = read_yaml(&example(&format!("flux/{name}.yaml")));
        let spec = &sync["spec"];
        assert_eq!(spec["sourceRef"]["kind"], source["kind"], "{name}");
        assert_eq!(spec["sourceRef"]["name"], source["metadata"]["name"], "{name}");
        assert_eq!(sync["metadata"]["namespace"], source["metadata"]["namespace"], "{name}");
        assert_eq!(spec["path"], format!("./environments/{name}"));
        assert_eq!(spec["wait"], true, "{name}");
        assert_eq!(spec["prune"], true, "{name}");
    }
}

#[test]
fn argo_cd_points_at_each_environment() {
    for name in ENVIRONMENTS {
        let spec = &read_yaml(&example(&format!("argocd/{name}.yaml")))["spec"];
        assert_eq!(spec["source"]["path"], format!("environments/{name}"));
        let namespace = &environment(name, "kustomization.yaml")["namespace"];
        assert_eq!(spec["destination"]["namespace"], *namespace, "{name}");
        assert_eq!(
            environment(name, "namespace.yaml")["metadata"]["name"],
            *namespace,
            "{name}"
        );
    }
}
