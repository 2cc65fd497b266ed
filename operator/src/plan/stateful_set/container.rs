//! The indexer's container.

use crds::pod::{OPS_PORT, RPC_PORT};
use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, ContainerPort, HTTPGetAction, Probe, ResourceRequirements, SecurityContext,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::volumes;
use crate::{
    names,
    plan::{
        config_map::{CONFIG_DIR, CONFIG_FILE},
        service::{OPS, RPC},
    },
    record::Record,
    validate::ValidIndexer,
};

pub(super) fn build(valid: &ValidIndexer, record: &Record, resources: &ResourceRequirements) -> Container {
    let image = record
        .made_with
        .as_ref()
        .map_or(&valid.image, |made_with| &made_with.image);
    Container {
        name: names::CONTAINER.into(),
        image: Some(image.clone()),
        // An image loaded into a node by hand cannot be pulled from a registry.
        image_pull_policy: Some("IfNotPresent".into()),
        args: Some(vec![
            "run".into(),
            "--config".into(),
            format!("{CONFIG_DIR}/{CONFIG_FILE}"),
        ]),
        ports: Some(vec![port(RPC, RPC_PORT), port(OPS, OPS_PORT)]),
        resources: Some(resources.clone()),
        volume_mounts: Some(volumes::mounts()),
        // Up within a second on an idle node; a busy one gets five minutes. Probed often, so a quick start is noticed
        // at once.
        startup_probe: Some(probe("/livez", 2, 2, 150)),
        // A minute without an answer: pods must not be killed because their node is busy.
        liveness_probe: Some(probe("/livez", 10, 5, 6)),
        // Every 2 s, so that a pod that halts or loses its node leaves the Service in about 4 s; the answer comes from
        // memory.
        readiness_probe: Some(probe("/readyz", 2, 2, 2)),
        // The last log lines of a crashed process become the message of the pod's row in the status.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".into()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn port(name: &str, port: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(port),
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, period_seconds: i32, timeout_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(OPS.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(timeout_seconds),
        failure_threshold: Some(failure_threshold),
        ..Probe::default()
    }
}
