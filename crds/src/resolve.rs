//! Conversion of a spec, whose values are text, to checked values; used by the operator and by local runs.

use std::time::Duration;

mod snapshots;

use crate::{
    identity::Identity,
    memory_budget::STORE_BYTES_MIN,
    pod::{Bootstrap, Publishing, VIEWS_TIMEOUT_MS_MAX, Views},
    problem::Problem,
    quantity::{ByteSize, ParseError, TimeSpan},
    rollout::RolloutSpec,
    spec::{IndexerSpec, ModuleSpec, ResizePolicy, SourceSpec, ViewsSpec},
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
    /// `memory.maxLimit` in bytes, if memory is resized in place.
    pub max_limit_bytes: Option<u64>,
    /// `storage.size` in bytes.
    pub storage_bytes: u64,
    /// `storage.autoGrow`.
    pub auto_grow: Option<AutoGrow>,
    /// `storage.cache` in bytes.
    pub cache_bytes: Option<u64>,
    /// `bootstrap.snapshot`, without credentials.
    pub bootstrap: Option<Bootstrap>,
    /// `snapshots`, without credentials.
    pub snapshots: Option<Publishing>,
    /// The time spans of `rollout`.
    pub timing: Timing,
}

/// When volumes grow by themselves, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoGrow {
    /// The largest size.
    pub max_bytes: u64,
    /// They grow when less than this share of one is free, in percent.
    pub free_percent: u8,
    /// The share of their size by which they grow, in percent.
    pub step_percent: u8,
}

/// The time spans of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a candidate must have been healthy.
    pub soak: Duration,
    /// How long a candidate may leave blocks unindexed.
    pub progress_deadline: Duration,
    /// How long the previous revision is kept.
    pub keep_previous: Duration,
}

/// Parses and checks what the API server's rules check too, for specs that never saw one: a local manifest, or a
/// resource stored under an older schema.
///
/// # Errors
/// Every problem at once, in the order of the fields.
pub fn resolve(spec: &IndexerSpec) -> Result<Resolved, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut bytes = |field, size: &ByteSize| checked(field, size.bytes(), &mut problems);
    let threshold_bytes = bytes("memory.threshold", &spec.memory.threshold);
    let memory_limit_bytes = bytes("memory.limit", &spec.memory.limit);
    let max_limit = spec.memory.max_limit.as_ref();
    let max_limit_bytes = max_limit.map(|size| bytes("memory.maxLimit", size));
    let storage_bytes = bytes("storage.size", &spec.storage.size);
    let auto_grow = spec.storage.auto_grow.as_ref().map(|auto_grow| AutoGrow {
        max_bytes: bytes("storage.autoGrow.maxSize", &auto_grow.max_size),
        free_percent: auto_grow.free_percent,
        step_percent: auto_grow.step_percent,
    });
    let cache_bytes = spec.storage.cache.as_ref().map(|size| bytes("storage.cache", size));
    let views = views(&spec.views, &mut problems);
    let timing = timing(&spec.rollout, &mut problems);
    let is_resized = spec.memory.resize == ResizePolicy::InPlace;
    judge(
        spec,
        [threshold_bytes, memory_limit_bytes],
        cache_bytes,
        views.timeout_ms,
        &mut problems,
    );
    let bootstrap = spec
        .bootstrap
        .as_ref()
        .map(|bootstrap| snapshots::bootstrap(&bootstrap.snapshot, &mut problems));
    let publishing = spec
        .snapshots
        .as_ref()
        .map(|publishing| snapshots::publishing(publishing, &mut problems));
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
    };
    Ok(Resolved {
        identity,
        threshold_bytes,
        max_limit_bytes: max_limit_bytes.filter(|_| is_resized),
        views,
        storage_bytes,
        auto_grow,
        cache_bytes,
        bootstrap,
        snapshots: publishing,
        timing,
    })
}

/// What is wrong with parsed values, by themselves or beside each other. Of sizes that could not be parsed nothing is said.
fn judge(
    spec: &IndexerSpec,
    [threshold_bytes, memory_limit_bytes]: [u64; 2],
    cache_bytes: Option<u64>,
    timeout_ms: u64,
    problems: &mut Vec<Problem>,
) {
    if problems.is_empty() && threshold_bytes > memory_limit_bytes {
        problems.push(Problem {
            field: "memory.threshold",
            message: format!("{} exceeds memory.limit {}", spec.memory.threshold, spec.memory.limit),
        });
    }
    if spec.memory.resize == ResizePolicy::InPlace && spec.memory.max_limit.is_none() {
        problems.push(Problem {
            field: "memory.maxLimit",
            message: "must be set with memory.resize InPlace".into(),
        });
    }
    if problems.is_empty() && cache_bytes.is_some_and(|bytes| bytes < STORE_BYTES_MIN) {
        problems.push(Problem {
            field: "storage.cache",
            message: "must be at least 64Mi".into(),
        });
    }
    if spec
        .chain
        .stop_height
        .is_some_and(|stop| stop < spec.chain.start_height)
    {
        problems.push(Problem {
            field: "chain.stopHeight",
            message: format!("must not be below chain.startHeight {}", spec.chain.start_height),
        });
    }
    if memory_limit_bytes > 4 << 30 {
        problems.push(Problem {
            field: "memory.limit",
            message: "a 32-bit guest cannot address more than 4Gi".into(),
        });
    }
    if timeout_ms > VIEWS_TIMEOUT_MS_MAX {
        problems.push(Problem {
            field: "views.timeout",
            message: format!("{} exceeds 5m", spec.views.timeout.0),
        });
    }
}

/// A parsed value; of one that cannot be parsed, the default, and a problem.
fn checked<T: Default>(field: &'static str, parsed: Result<T, ParseError>, problems: &mut Vec<Problem>) -> T {
    parsed.unwrap_or_else(|error| {
        problems.push(Problem {
            field,
            message: error.to_string(),
        });
        T::default()
    })
}

fn views(spec: &ViewsSpec, problems: &mut Vec<Problem>) -> Views {
    let timeout = checked("views.timeout", spec.timeout.duration(), problems);
    let mut bytes = |field, size: &ByteSize| checked(field, size.bytes(), problems);
    Views {
        max_concurrent: spec.max_concurrent,
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        memory_limit_bytes: bytes("views.memoryLimit", &spec.memory_limit),
        max_request_bytes: bytes("views.maxRequestBytes", &spec.max_request_bytes),
        max_response_bytes: bytes("views.maxResponseBytes", &spec.max_response_bytes),
    }
}

fn timing(spec: &RolloutSpec, problems: &mut Vec<Problem>) -> Timing {
    let mut span = |field, span: &TimeSpan| checked(field, span.duration(), problems);
    Timing {
        soak: span("rollout.soak", &spec.soak),
        progress_deadline: span("rollout.progressDeadline", &spec.progress_deadline),
        keep_previous: span("rollout.keepPrevious", &spec.keep_previous),
    }
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
