//! Every rule of the schema accepts and rejects what it should, evaluated by a CEL interpreter, without a cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

use crds::{Indexer, IndexerSpec};
use kube::CustomResourceExt as _;
use kube_cel::{ValidationErrors, Validator};
use serde_json::{Value, json};

fn indexer(name: &str, change: impl FnOnce(&mut Value)) -> Indexer {
    let mut spec = json!({
        "module": { "sha256": "ab".repeat(32), "configMap": { "name": "guest", "key": "module.wasm" } },
        "chain": { "network": "regtest", "source": { "bitcoind": { "urls": ["http://bitcoind:8332"] } } },
    });
    change(&mut spec);
    let spec: IndexerSpec = serde_json::from_value(spec).unwrap();
    Indexer::new(name, spec)
}

fn plain() -> Indexer {
    indexer("outpoints", |_| {})
}

/// What an API server would say to an Indexer that is created, or in place of an old one.
fn judged(new: &Indexer, old: Option<&Indexer>) -> Result<(), ValidationErrors> {
    let crd = serde_json::to_value(Indexer::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let [new, old] = [Some(new), old].map(|it| serde_json::to_value(it).unwrap());
    Validator::new().validate(schema, &new, (!old.is_null()).then_some(&old))
}

#[track_caller]
fn accepted(indexer: &Indexer) {
    judged(indexer, None).unwrap();
}

#[track_caller]
fn update_accepted(new: &Indexer) {
    judged(new, Some(&plain())).unwrap();
}

#[track_caller]
fn refused(indexer: &Indexer, words: &str) {
    let error = judged(indexer, None).expect_err("must be refused").to_string();
    assert!(error.contains(words), "{error:?} does not say {words:?}");
}

#[track_caller]
fn update_refused(new: &Indexer, words: &str) {
    let error = judged(new, Some(&plain())).expect_err("must be refused").to_string();
    assert!(error.contains(words), "{error:?} does not say {words:?}");
}

#[test]
fn name_is_a_short_label() {
    accepted(&plain());
    accepted(&indexer("a", |_| {}));
    accepted(&indexer(&"a".repeat(40), |_| {}));
    for name in [&"a".repeat(41), "1a", "a.b", "a-"] {
        refused(&indexer(name, |_| {}), "DNS label of at most 40");
    }
}

#[test]
fn module_has_exactly_one_source() {
    accepted(&indexer("x", |spec| {
        spec["module"] = json!({ "sha256": "ab".repeat(32), "path": "./guest.wasm" });
    }));
    refused(
        &indexer("x", |spec| spec["module"]["path"] = json!("./guest.wasm")),
        "exactly one of",
    );
    refused(
        &indexer("x", |spec| spec["module"] = json!({ "sha256": "ab".repeat(32) })),
        "exactly one of",
    );
}

fn module(sources: Value) -> Indexer {
    indexer("x", |spec| {
        spec["module"] = sources;
        spec["module"]["sha256"] = json!("ab".repeat(32));
    })
}

#[test]
fn module_may_be_at_a_web_server_or_in_a_registry() {
    let image = format!("registry.example:5000/a/b-c.d:v1@sha256:{}", "ab".repeat(32));
    accepted(&module(json!({ "http": { "url": "https://a.example/m.wasm?raw=1" } })));
    accepted(&module(json!({ "oci": { "image": image } })));
    accepted(&module(
        json!({ "oci": { "image": image, "pullSecretRef": { "name": "pull" } } }),
    ));
    let both = json!({ "http": { "url": "https://a/m" }, "oci": { "image": image } });
    refused(&module(both), "exactly one of");
    for url in [
        "ftp://a/m",
        "https://user:word@a/m",
        "https://a/m#part",
        "a/m",
        "https://a /m",
    ] {
        refused(&module(json!({ "http": { "url": url } })), "must read http(s)");
    }
    for image in [
        "registry.example/a:v1",
        "a@sha256:abab",
        &image.replace("/a/", "/A/"),
        &image.replace("registry", "user:word@registry"),
        &image.replace("/a/", "/../"),
    ] {
        refused(
            &module(json!({ "oci": { "image": image } })),
            "registry/repository@sha256",
        );
    }
}

#[test]
fn chain_has_exactly_one_source() {
    let source = |source: Value| indexer("x", |spec| spec["chain"]["source"] = source);
    let (node, files) = (json!({ "urls": ["http://a"] }), json!({ "path": "./blocks" }));
    accepted(&source(json!({ "bitcoind": node })));
    accepted(&source(json!({ "blockFiles": files })));
    refused(
        &source(json!({ "bitcoind": node, "blockFiles": files })),
        "exactly one of",
    );
    refused(&source(json!({})), "exactly one of");
}

#[test]
fn threshold_stays_within_the_limit() {
    let memory = |threshold: &str, limit: &str| {
        indexer("x", |spec| {
            spec["memory"] = json!({ "threshold": threshold, "limit": limit })
        })
    };
    accepted(&memory("64Mi", "64Mi"));
    accepted(&memory("1.5Gi", "2Gi"));
    refused(&memory("65Mi", "64Mi"), "must not exceed memory.limit");
    accepted(&memory("64Ki", "4Gi"));
    refused(&memory("1k", "64Mi"), "at least 64Ki");
    refused(&memory("64Mi", "5Gi"), "at most 4Gi");
}

#[test]
fn memory_is_resized_up_to_a_limit_that_is_declared() {
    let memory = |memory: Value| indexer("x", |spec| spec["memory"] = memory);
    accepted(&memory(json!({ "resize": "Off" })));
    accepted(&memory(json!({ "resize": "InPlace", "maxLimit": "8Gi" })));
    accepted(&memory(json!({ "maxLimit": "128Mi" })));
    refused(
        &memory(json!({ "resize": "InPlace" })),
        "must be set with memory.resize InPlace",
    );
    refused(&memory(json!({ "maxLimit": "127Mi" })), "at least 128Mi");
}

#[test]
fn urls_are_plain_and_without_credentials() {
    let urls = |urls: Value| indexer("x", |spec| spec["chain"]["source"]["bitcoind"]["urls"] = urls);
    accepted(&urls(json!(["http://a:8332", "https://b/"])));
    for bad in [
        "ftp://a",
        "a:8332",
        "http://user:password@a:8332",
        "http://a/path",
        "http://a?x=1",
    ] {
        refused(&urls(json!(["http://a:8332", bad])), "each url must read");
    }
}

#[test]
fn sizes_have_sensible_bounds() {
    let with = |field: &str, key: &str, size: &str| indexer("x", |spec| spec[field] = json!({ key: size }));
    accepted(&with("storage", "size", "64Mi"));
    refused(&with("storage", "size", "1Mi"), "at least 64Mi");
    accepted(&with("views", "memoryLimit", "4Gi"));
    refused(&with("views", "memoryLimit", "5Gi"), "at most 4Gi");
    accepted(&with("views", "maxRequestBytes", "1Gi"));
    refused(&with("views", "maxRequestBytes", "2Gi"), "at most 1Gi");
    accepted(&with("views", "maxResponseBytes", "1Gi"));
    refused(&with("views", "maxResponseBytes", "2Gi"), "at most 1Gi");
}

#[test]
fn a_copy_is_for_a_candidate_only() {
    let seeded = |strategy: &str| {
        indexer("x", |spec| {
            spec["rollout"] = json!({ "strategy": strategy, "seed": { "fromActive": { "atHeight": 7 } } });
        })
    };
    accepted(&seeded("BlueGreen"));
    refused(&seeded("InPlace"), "rollout.seed needs strategy BlueGreen");
}

#[test]
fn network_cannot_change() {
    update_accepted(&indexer("outpoints", |spec| spec["replicas"] = json!(2)));
    update_refused(
        &indexer("outpoints", |spec| spec["chain"]["network"] = json!("signet")),
        "chain.network cannot change",
    );
}

/// A smaller size is refused by the operator: Flux takes a refusal here for an immutable field, and with `force` it deletes
/// the Indexer to create it anew.
#[test]
fn volumes_may_have_another_size_and_keep_their_class() {
    update_accepted(&indexer("outpoints", |spec| {
        spec["storage"] = json!({ "retention": "Delete" })
    }));
    for size in ["60Gi", "40Gi", "64Mi"] {
        update_accepted(&indexer("outpoints", |spec| spec["storage"] = json!({ "size": size })));
    }
    update_refused(
        &indexer("outpoints", |spec| {
            spec["storage"] = json!({ "storageClassName": "fast" })
        }),
        "storage.storageClassName cannot change",
    );
}

/// A smaller maximum than `size`, or than what there is, is no mistake that must be refused: nothing grows then.
#[test]
fn volumes_may_grow_by_themselves() {
    let auto_grow = |fields: Value| indexer("outpoints", |spec| spec["storage"] = json!({ "autoGrow": fields }));
    for size in ["500Gi", "1Gi"] {
        update_accepted(&auto_grow(json!({ "maxSize": size })));
    }
    let resolved = crds::resolve(&auto_grow(json!({ "maxSize": "500Gi" })).spec).unwrap();
    let expected = crds::AutoGrow {
        max_bytes: 500 << 30,
        free_percent: 15,
        step_percent: 25,
    };
    assert_eq!(resolved.auto_grow, Some(expected));
    let problems = crds::resolve(&auto_grow(json!({ "maxSize": "16777216Ti" })).spec).unwrap_err();
    assert!(problems[0].to_string().starts_with("spec.storage.autoGrow.maxSize: "));
}

#[test]
fn a_view_has_at_most_five_minutes() {
    let views = |timeout: &str| indexer("x", |spec| spec["views"] = json!({ "timeout": timeout }));
    for timeout in ["1ms", "300s", "5m"] {
        accepted(&views(timeout));
        assert!(crds::resolve(&views(timeout).spec).is_ok(), "{timeout}");
    }
    for timeout in ["300001ms", "6m", "1h", "2562047h"] {
        refused(&views(timeout), "views.timeout must be at most 5m");
        let problems = crds::resolve(&views(timeout).spec).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            format!("spec.views.timeout: {timeout} exceeds 5m")
        );
    }
    // Longer than the interpreter can hold, which it says in words of its own.
    judged(&views("9999999999999h"), None).unwrap_err();
}

/// Both the schema's rules and those of `resolve`, which must agree.
#[track_caller]
fn judged_alike(indexer: &Indexer, words: Option<&str>) {
    let resolved = crds::resolve(&indexer.spec).map_err(|problems| problems[0].to_string());
    match words {
        None => {
            accepted(indexer);
            resolved.unwrap();
        }
        Some(words) => {
            refused(indexer, words);
            let problem = resolved.unwrap_err();
            assert!(problem.contains(words), "{problem:?} does not say {words:?}");
        }
    }
}

#[test]
fn an_index_begins_with_a_snapshot_that_is_named_and_reached_by_tls() {
    let bootstrap = |snapshot: Value| indexer("x", |spec| spec["bootstrap"] = json!({ "snapshot": snapshot }));
    let url = |url: &str| bootstrap(json!({ "url": url }));
    for good in [
        "s3://bucket/prefix/901000",
        "s3://bucket/901000/",
        "https://host:8443/a/b/901000-7c1d0a2b3c",
        "file:///mnt/snapshots/5",
    ] {
        judged_alike(&url(good), None);
    }
    for bad in [
        "s3://bucket/prefix",
        "s3://user:word@bucket/prefix/5",
        "s3:///prefix/5",
        "https://host/5?signature=x",
        "gs://bucket/prefix/5",
        "prefix/5",
        "s3://bucket/5-7c1d",
    ] {
        judged_alike(&url(bad), Some("must read s3://BUCKET/PREFIX/HEIGHT"));
    }
    judged_alike(&url("http://host/5"), Some("http:// has no TLS"));
    judged_alike(&bootstrap(json!({ "url": "http://host/5", "allowHttp": true })), None);
    let with_endpoint = |endpoint: &str| bootstrap(json!({ "url": "s3://bucket/5", "endpoint": endpoint }));
    judged_alike(&with_endpoint("https://minio:9000"), None);
    judged_alike(&with_endpoint("http://minio:9000"), Some("http:// has no TLS"));
    refused(
        &with_endpoint("https://user:word@minio"),
        "endpoint must read http(s)://host",
    );
    judged_alike(
        &bootstrap(json!({ "url": "s3://bucket/5", "manifestSha256": "ab".repeat(32), "verify": "Digests" })),
        None,
    );
}

#[test]
fn snapshots_are_published_to_a_bucket_within_bounds() {
    let snapshots = |fields: Value| {
        indexer("x", |spec| {
            spec["snapshots"] = json!({ "url": "s3://bucket/prefix" });
            let declared = spec["snapshots"].as_object_mut().unwrap();
            declared.extend(fields.as_object().unwrap().clone());
        })
    };
    judged_alike(&snapshots(json!({})), None);
    let defaults = crds::resolve(&snapshots(json!({})).spec).unwrap().snapshots.unwrap();
    assert_eq!((defaults.every_blocks, defaults.keep), (1_000, 3));
    for url in ["s3://bucket", "file:///mnt/snapshots"] {
        judged_alike(&snapshots(json!({ "url": url })), None);
    }
    for url in ["https://host/prefix", "s3://user:word@bucket/prefix", "s3://bucket/a#b"] {
        judged_alike(
            &snapshots(json!({ "url": url })),
            Some("must read s3://BUCKET/PREFIX, without credentials"),
        );
    }
    judged_alike(
        &snapshots(json!({ "endpoint": "http://minio:9000" })),
        Some("http:// has no TLS"),
    );
    judged_alike(&snapshots(json!({ "bandwidth": "1k" })), Some("must be at least 64Ki"));
    judged_alike(&snapshots(json!({ "bandwidth": "20Mi" })), None);
    for field in ["everyBlocks", "keep"] {
        let none = crds::resolve(&snapshots(json!({ field: 0 })).spec).unwrap_err();
        assert!(none[0].to_string().contains("must be at least 1"), "{none:?}");
    }
}

/// What Kubernetes' own types hold is checked when an Indexer is written, and read as they are.
#[test]
fn placement_is_that_of_a_pod() {
    let placement = |fields: Value| indexer("x", |spec| spec["placement"] = fields);
    let affinity = json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution":
        [{ "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": { "a": "b" } } }] } });
    let whole = json!({
        "nodeSelector": { "disk": "nvme" },
        "tolerations": [{ "key": "dedicated", "operator": "Exists", "effect": "NoSchedule" }],
        "affinity": affinity,
        "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" }],
        "priorityClassName": "index",
    });
    let indexer = placement(whole.clone());
    accepted(&indexer);
    assert_eq!(serde_json::to_value(indexer.spec.placement).unwrap(), whole);
    let misspelt = json!({ "spec": { "placement": { "affinity": { "podAntiAfinity": {} },
        "tolerations": [{ "keys": "a" }], "nodeSelector": { "any": "thing" } } } });
    assert_eq!(
        crds::unknown_fields(&misspelt),
        [
            "spec.placement.affinity.podAntiAfinity",
            "spec.placement.tolerations[0].keys"
        ]
    );
}

#[test]
fn what_the_operator_sets_on_pods_is_left_to_it() {
    let metadata = |kind: &str, key: &str| {
        indexer("x", |spec| {
            spec["podMetadata"] = json!({ kind: { "team": "data", key: "x" } })
        })
    };
    for key in [
        "a",
        "app.kubernetes.io/version",
        "shrewd.dev.example/a",
        "app.kubernetes.io/names",
    ] {
        accepted(&metadata("labels", key));
        accepted(&metadata("annotations", key));
    }
    accepted(&metadata("annotations", "app.kubernetes.io/name"));
    for key in [
        "shrewd.dev/indexer",
        "shrewd.dev/anything",
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/component",
        "app.kubernetes.io/part-of",
        "app.kubernetes.io/managed-by",
    ] {
        let taken = metadata("labels", key);
        refused(&taken, "podMetadata.labels must leave");
        assert_eq!(taken.spec.pod_metadata.unwrap().reserved().collect::<Vec<_>>(), [key]);
    }
    refused(
        &metadata("annotations", "shrewd.dev/config-hash"),
        "podMetadata.annotations must leave",
    );
}

#[test]
fn access_is_for_peers_that_select_something() {
    let access = |fields: Value| indexer("x", |spec| spec["access"] = fields);
    accepted(&access(json!({ "clients": [], "metrics": [] })));
    let block = json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"] } });
    let pods = json!({ "podSelector": {}, "namespaceSelector": { "matchLabels": { "a": "b" } } });
    accepted(&access(
        json!({ "clients": [block, pods], "metrics": [{ "podSelector": {} }] }),
    ));
    let both = json!({ "ipBlock": { "cidr": "10.0.0.0/8" }, "podSelector": {} });
    for port in ["clients", "metrics"] {
        for peer in [json!({}), both.clone()] {
            refused(
                &access(json!({ port: [pods, peer] })),
                &format!("each peer of access.{port} must have"),
            );
        }
    }
}
