//! From a spec, whose values are texts, to checked values. The operator and a local run both start here.

use std::{fmt, time::Duration};

use crate::{
    identity::{Identity, STORE_FORMAT},
    pod::{VIEWS_TIMEOUT_MS_MAX, Views},
    quantity::ParseError,
    spec::{IndexerSpec, ModuleSpec, SourceSpec},
};

/// The values of a spec, parsed and checked against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What the index is.
    pub identity: Identity,
    /// `memory.threshold` in bytes; at most the limit.
    pub threshold_bytes: u64,
    /// `views`, in bytes and milliseconds.
    pub views: Views,
    /// `storage.size` in bytes.
    pub storage_bytes: u64,
    /// The time spans of `rollout`.
    pub timing: Timing,
}

/// The time spans of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a candidate must have been healthy.
    pub soak: Duration,
    /// How long a candidate may index no block.
    pub progress_deadline: Duration,
    /// How long the revision before stays.
    pub keep_previous: Duration,
}

/// One thing that is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field below `spec`.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spec.{}: {}", self.field, self.message)
    }
}

/// Parses and checks what the API server's rules check too, for specs that never saw one: a local manifest, or a
/// resource stored under an older schema.
///
/// # Errors
/// Every problem at once, in the order of the fields.
pub fn resolve(spec: &IndexerSpec) -> Result<Resolved, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut value = |field, parsed: Result<u64, ParseError>| {
        parsed.unwrap_or_else(|e| {
            problems.push(Problem {
                field,
                message: e.to_string(),
            });
            0
        })
    };
    let threshold_bytes = value("memory.threshold", spec.memory.threshold.bytes());
    let memory_limit_bytes = value("memory.limit", spec.memory.limit.bytes());
    let storage_bytes = value("storage.size", spec.storage.size.bytes());
    let views = Views {
        max_concurrent: spec.views.max_concurrent,
        timeout_ms: value(
            "views.timeout",
            spec.views
                .timeout
                .duration()
                .map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
        ),
        memory_limit_bytes: value("views.memoryLimit", spec.views.memory_limit.bytes()),
        max_request_bytes: value("views.maxRequestBytes", spec.views.max_request_bytes.bytes()),
        max_response_bytes: value("views.maxResponseBytes", spec.views.max_response_bytes.bytes()),
    };
    let mut span = |field, parsed: Result<Duration, ParseError>| {
        parsed.unwrap_or_else(|e| {
            problems.push(Problem {
                field,
                message: e.to_string(),
            });
            Duration::ZERO
        })
    };
    let timing = Timing {
        soak: span("rollout.soak", spec.rollout.soak.duration()),
        progress_deadline: span("rollout.progressDeadline", spec.rollout.progress_deadline.duration()),
        keep_previous: span("rollout.keepPrevious", spec.rollout.keep_previous.duration()),
    };
    if problems.is_empty() && threshold_bytes > memory_limit_bytes {
        problems.push(Problem {
            field: "memory.threshold",
            message: format!("{} exceeds memory.limit {}", spec.memory.threshold, spec.memory.limit),
        });
    }
    if memory_limit_bytes > 4 << 30 {
        problems.push(Problem {
            field: "memory.limit",
            message: "a 32-bit guest cannot address more than 4Gi".into(),
        });
    }
    if views.timeout_ms > VIEWS_TIMEOUT_MS_MAX {
        problems.push(Problem {
            field: "views.timeout",
            message: format!("{} exceeds 5m", spec.views.timeout.0),
        });
    }
    problems.extend(module_problems(&spec.module));
    problems.extend(source_problems(&spec.chain.source));
    if !problems.is_empty() {
        return Err(problems);
    }
    let identity = Identity {
        module_sha256: spec.module.sha256.clone(),
        network: spec.chain.network,
        start_height: spec.chain.start_height,
        memory_limit_bytes,
        store_format: STORE_FORMAT,
    };
    Ok(Resolved {
        identity,
        threshold_bytes,
        views,
        storage_bytes,
        timing,
    })
}

fn module_problems(module: &ModuleSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let sources = [
        module.config_map.is_some(),
        module.http.is_some(),
        module.oci.is_some(),
        module.path.is_some(),
    ];
    if sources.iter().filter(|given| **given).count() != 1 {
        problems.push(Problem {
            field: "module",
            message: "exactly one of configMap, http, oci and path must be given".into(),
        });
    }
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if module.sha256.len() != 64 || !module.sha256.bytes().all(is_digit) {
        problems.push(Problem {
            field: "module.sha256",
            message: "must be 64 lowercase hex digits".into(),
        });
    }
    problems
}

fn source_problems(source: &SourceSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if source.bitcoind.as_ref().is_some_and(|node| node.urls.is_empty()) {
        problems.push(Problem {
            field: "chain.source.bitcoind.urls",
            message: "at least one url is needed".into(),
        });
    }
    if source.bitcoind.is_none() && source.block_files.is_none() {
        problems.push(Problem {
            field: "chain.source",
            message: "one of bitcoind and blockFiles must be given".into(),
        });
    }
    problems
}
