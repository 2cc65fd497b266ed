//! `spec.views`: bounds on queries.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::{ByteSize, TimeSpan};

/// Bounds on queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViewsSpec {
    /// The number of views that run concurrently; others are queued, within their timeout.
    #[schemars(range(min = 1, max = 256))]
    #[serde(default = "ViewsSpec::default_max_concurrent")]
    pub max_concurrent: u32,
    /// Wall time of one view, the wait for a place included; at most 5 minutes, because a pod that ends lets its views
    /// end first, and a node that is drained waits for the pod.
    #[x_kube(validation = Rule::new("duration(self) <= duration('5m')").message("views.timeout must be at most 5m"))]
    #[serde(default = "ViewsSpec::default_timeout")]
    pub timeout: TimeSpan,
    /// The maximum linear memory of one view's instance.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('4Gi')) <= 0").message("views.memoryLimit must be at most 4Gi"))]
    #[serde(default = "ViewsSpec::default_memory_limit")]
    pub memory_limit: ByteSize,
    /// The maximum size of a request body.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('1Gi')) <= 0").message("views.maxRequestBytes must be at most 1Gi"))]
    #[serde(default = "ViewsSpec::default_max_request_bytes")]
    pub max_request_bytes: ByteSize,
    /// The maximum size of one view's answer, before hex encoding.
    #[x_kube(validation = Rule::new("quantity(self).compareTo(quantity('1Gi')) <= 0").message("views.maxResponseBytes must be at most 1Gi"))]
    #[serde(default = "ViewsSpec::default_max_response_bytes")]
    pub max_response_bytes: ByteSize,
}

defaults!(ViewsSpec {
    default_max_concurrent, max_concurrent: u32 = 32;
    default_timeout, timeout: TimeSpan = TimeSpan("10s".into());
    default_memory_limit, memory_limit: ByteSize = ByteSize::mebibytes(512);
    default_max_request_bytes, max_request_bytes: ByteSize = ByteSize::mebibytes(8);
    default_max_response_bytes, max_response_bytes: ByteSize = ByteSize::mebibytes(64);
});
