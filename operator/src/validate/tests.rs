use super::*;
use crate::fixtures;

#[test]
fn a_valid_spec_gets_the_default_image_and_derived_resources() {
    let valid = validate(&fixtures::indexer(), &fixtures::defaults()).unwrap();
    assert_eq!(valid.image, "shrewd-indexer:test");
    assert_eq!(valid.replicas, 1);
    let resources = valid.resources_of(&valid.identity);
    assert_eq!(resources.requests.unwrap()["memory"].0, "2304Mi");
    assert_eq!(resources.limits.unwrap()["memory"].0, "6220Mi");
    // A revision that was declared with less memory keeps what it had.
    let smaller = Identity {
        memory_limit_bytes: 1 << 30,
        ..valid.identity.clone()
    };
    let resources = valid.resources_of(&smaller);
    assert_eq!(resources.requests.unwrap()["memory"].0, "1536Mi");
    assert_eq!(resources.limits.unwrap()["memory"].0, "3148Mi");
}

#[test]
fn every_problem_is_reported_at_once() {
    let mut indexer = fixtures::indexer();
    indexer.spec.module.sha256 = "abc".into();
    indexer.spec.memory.threshold = crds::ByteSize("5Gi".into());
    indexer.spec.views.timeout = crds::TimeSpan("soon".into());
    indexer.metadata.uid = None;
    let invalid = validate(&indexer, &fixtures::defaults()).unwrap_err();
    assert_eq!(invalid.reason, reasons::INVALID_SPEC);
    let text = invalid.problems.join("\n");
    for part in ["metadata.uid", "spec.module.sha256", "spec.views.timeout"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn what_is_on_one_machine_only_is_refused_with_its_own_reason() {
    let mut files = fixtures::indexer();
    files.spec.chain.source.block_files = Some(crds::BlockFilesSpec {
        path: "./blocks".into(),
    });
    let invalid = validate(&files, &fixtures::defaults()).unwrap_err();
    assert_eq!(invalid.reason, reasons::BLOCK_FILES_NOT_FOR_PODS);
    assert!(
        invalid.problems[0].contains("spec.chain.source.bitcoind"),
        "{invalid:?}"
    );

    let mut both = files;
    both.spec.module.config_map = None;
    both.spec.module.path = Some("./a.wasm".into());
    let invalid = validate(&both, &fixtures::defaults()).unwrap_err();
    assert_eq!(invalid.reason, reasons::MODULE_PATH_NOT_FOR_PODS);
    assert_eq!(invalid.problems.len(), 2);
}

#[test]
fn snapshots_in_a_folder_are_for_local_runs() {
    let mut indexer = fixtures::indexer();
    let spec = serde_json::json!({"snapshot": {"url": "file:///mnt/snapshots/5"}});
    indexer.spec.bootstrap = serde_json::from_value(spec).unwrap();
    let spec = serde_json::json!({"url": "file:///mnt/snapshots"});
    indexer.spec.snapshots = serde_json::from_value(spec).unwrap();
    let invalid = validate(&indexer, &fixtures::defaults()).unwrap_err();
    assert_eq!(invalid.reason, reasons::SNAPSHOT_FOLDER_NOT_FOR_PODS);
    assert!(
        invalid.problems[0].starts_with("spec.bootstrap.snapshot.url:"),
        "{invalid:?}"
    );
    assert!(invalid.problems[1].starts_with("spec.snapshots.url:"), "{invalid:?}");

    let spec = serde_json::json!({"url": "https://host/prefix"});
    indexer.spec.snapshots = serde_json::from_value(spec).unwrap();
    let invalid = validate(&indexer, &fixtures::defaults()).unwrap_err();
    assert_eq!(invalid.reason, reasons::INVALID_SPEC);
    assert!(invalid.problems[0].contains("only read from"), "{invalid:?}");
}

#[test]
fn suspended_wants_no_pods() {
    let mut indexer = fixtures::indexer();
    indexer.spec.suspend = true;
    indexer.spec.replicas = 3;
    assert_eq!(validate(&indexer, &fixtures::defaults()).unwrap().replicas, 0);
}

#[test]
fn access_is_not_restricted_in_appearance_only() {
    let mut indexer = fixtures::indexer();
    let mut defaults = fixtures::defaults();
    defaults.access = None;
    assert_eq!(validate(&indexer, &defaults).unwrap().access, None);
    indexer.spec.access = Some(crds::AccessSpec::default());
    let invalid = validate(&indexer, &defaults).unwrap_err();
    assert!(invalid.problems[0].starts_with("spec.access:"), "{invalid:?}");
    assert!(validate(&indexer, &fixtures::defaults()).unwrap().access.is_some());
}
