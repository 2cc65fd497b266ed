//! The wiring of one process: ports, signals, the module, the store, the pipeline, and the order in which they end.

mod claiming;
mod module;
mod network;
mod opening;
mod origins;
mod process;
mod publishing;
mod servers;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use crds::{Phase, pod};
use indicatif::ProgressBar;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::{
    process::Process,
    servers::{serve, stop_on_signal},
};
use crate::{
    cli::args::Launch,
    control::Control,
    guest::{Engine, EngineConfig, Indexing},
    pipeline::{
        Pipeline, PipelineEnd,
        execute::Executor,
        shared::{Settings, Shared},
    },
    rows::{DiskSpace, Room},
    seed::serve::{Copies, router as copies_router},
    serve::{
        descriptors, listener,
        ops::{self, Ops},
        rpc,
        serving::Serving,
        snapshot_request::{self, Publishes},
        view_list,
    },
    source::{Login, configured::Configured},
    store::{Stats, Store},
    telemetry::{
        growth::{Growth, days_left},
        metrics::Metrics,
        progress::Progress,
        pulse,
        report::Report,
    },
};

/// How long a pod keeps answering after it was asked to stop. Its removal from the Service takes that long to reach every
/// node, and until then it still receives requests.
const LINGER: Duration = Duration::from_secs(3);
/// How long open connections may take to end once the process is asked to stop; a sixth of the pod's grace period.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause between two measurements of the store: a third of Prometheus' usual scrape interval.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// Niceness of indexing, so that views take priority when CPU is scarce: a client waits for them.
const INDEXING_NICENESS: i32 = 5;
/// Stack of the thread that runs the guest: 2 MiB for the guest, as much again for the host functions below it.
const STACK_BYTES: usize = 4 << 20;

/// Indexes and serves until a signal comes, or the height given as the end is reached.
///
/// # Errors
/// When it cannot start, or when a one-shot run ends in anything but success.
pub fn run(launch: Launch, bar: ProgressBar) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve_and_index(launch, bar));
    // A view that is still running must not delay the end: its instance ends with the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn serve_and_index(launch: Launch, bar: ProgressBar) -> Result<()> {
    let Launch {
        mut config,
        credentials,
        notices,
        one_shot,
        ask_network,
    } = launch;
    for notice in notices {
        tracing::info!("{notice}");
    }
    let login = credentials.map(|c| Login {
        username: c.username,
        password: c.password,
    });
    if ask_network {
        config.identity.network = network::find(&config, login.as_ref()).await?;
    }
    let report = Arc::new(Report::new(&config));
    let metrics = Arc::new(Metrics::new(&config)?);
    let control = Arc::new(Control::default());
    let serving = Serving::new(config.views.max_response_bytes);
    let ops = ops::router(Ops {
        report: report.clone(),
        metrics: metrics.clone(),
        control: control.clone(),
    });
    let copies = Copies::new(&config.data_dir);
    let snapshot_requests = publishing::declared(&config).map(|_| Arc::default());
    let ops = ops
        .merge(copies_router(copies.clone()))
        .merge(view_list::router(serving.clone()))
        .merge(snapshot_request::router(Publishes {
            report: report.clone(),
            requests: snapshot_requests.clone(),
        }));
    let rpc = rpc::router(serving.clone(), metrics.clone(), &config)?;
    if let Some(complaint) = descriptors::complaint(descriptors::raise()) {
        tracing::warn!("{complaint}");
    }
    let closing = CancellationToken::new();
    let servers = [
        serve("ops", &config.ops_listen, ops, listener::OPS, &closing).await?,
        serve("json-rpc", &config.rpc_listen, rpc, listener::RPC, &closing).await?,
    ];
    tracing::info!(
        indexer = config.indexer, revision = %config.data_revision(), module = config.identity.module_sha256,
        network = %config.identity.network, rpc = config.rpc_listen, ops = config.ops_listen, "starting"
    );
    stop_on_signal(&control, &report)?;
    tokio::spawn(pulse::run(report.clone(), control.stop_token().clone()));
    let process = Process {
        config,
        login,
        one_shot,
        report: report.clone(),
        metrics,
        control: control.clone(),
        serving,
        copies,
        snapshot_requests,
        progress: Arc::new(Progress::new(bar)),
    };
    let ended = index_on_a_thread(process).await;
    report.update(|status| status.phase = Phase::Stopping);
    if control.stop_token().is_cancelled() && !one_shot {
        tokio::time::sleep(LINGER).await;
    }
    closing.cancel();
    // Whatever is still open after the drain time is cut off by the end of the process.
    let _ = tokio::time::timeout(DRAIN, futures::future::join_all(servers)).await;
    ended
}

/// The guest runs on a thread of its own, with the stack it needs, so that no query ever waits for it.
async fn index_on_a_thread(process: Process) -> Result<()> {
    let (ended_tx, ended) = tokio::sync::oneshot::channel();
    let runtime = Handle::current();
    let thread = thread::Builder::new()
        .name("execute".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            // Threads started by this one inherit it, those of the database among them. If the system refuses, queries wait
            // longer, and nothing else changes.
            let _ = rustix::process::setpriority_process(None, INDEXING_NICENESS);
            let _ = ended_tx.send(index(&process, &runtime));
        })?;
    let ended = ended.await;
    if thread.join().is_err() {
        bail!("the indexing thread panicked");
    }
    ended?
}

fn index(process: &Process, runtime: &Handle) -> Result<()> {
    let Process {
        config,
        report,
        metrics,
        control,
        progress,
        serving,
        ..
    } = process;
    let engine = Engine::new(&EngineConfig {
        limit_bytes: config.identity.memory_limit_bytes,
        view_memory_limit_bytes: config.views.memory_limit_bytes,
        max_views: config.views.max_concurrent,
        cache_dir: Some(config.data_dir.join("compiled")),
    })?;
    let residency = engine.residency();
    tracing::info!(reason = residency.reason(), "{}", residency.explanation());
    metrics.guest_pages_kept(residency.reason(), residency.keeps());
    let Some(module) = module::usable_module(process, runtime, &engine)? else {
        return Ok(());
    };
    let Some(store) = opening::open_store(process, runtime)? else {
        return Ok(());
    };
    let memory = opening::memory_of_store(config);
    tracing::info!(
        filters_bytes = memory.filters_bytes,
        kept_bytes = memory.kept_bytes,
        "memory of the store"
    );
    serving.open(store.clone(), module.clone());
    process.copies.open(store.clone());
    publishing::start(process, &store)?;
    runtime.spawn(measure_store(
        store.clone(),
        metrics.clone(),
        report.clone(),
        control.clone(),
    ));
    let source = Configured::new(&config.source, config.identity.network, process.login.as_ref())?;
    let shared = Shared {
        settings: Arc::new(Settings {
            is_one_shot: process.one_shot,
            kept_bytes: memory.kept_bytes,
            ..Settings::from(config)
        }),
        store,
        report: report.clone(),
        metrics: metrics.clone(),
        control: control.clone(),
        progress: progress.clone(),
    };
    let executor = Executor::new(Indexing::new(module));
    let end = Pipeline::new(Arc::new(source), shared, executor, runtime.clone()).run();
    progress.finish();
    match end {
        PipelineEnd::Stopped if config.exit_at.is_some() => {
            Err(anyhow!("stopped before the height given by --exit-at"))
        }
        PipelineEnd::Stopped | PipelineEnd::ReachedExit => Ok(()),
        PipelineEnd::SourceFailed(fault) => Err(anyhow!("the chain source cannot be used: {fault}")),
        PipelineEnd::StoreFailed(fault) => Err(anyhow!("the store failed, start the process again: {fault}")),
        PipelineEnd::Halted(halt) => Err(anyhow!("halted below block {}: {}", halt.height, halt.message)),
    }
}

/// Keeps what metrics and status say of the store and its volume current. It is all in memory, but for one call of the
/// system.
async fn measure_store(store: Store, metrics: Arc<Metrics>, report: Arc<Report>, control: Arc<Control>) {
    let mut growth = Growth::default();
    loop {
        let stats = store.stats();
        metrics.store(&stats);
        let volume = measure_volume(store.room(), &mut growth);
        report.update(|status| {
            status.store = Some(shown(&stats));
            // What cannot be asked for a moment is as it was.
            status.volume = volume.or_else(|| status.volume.take());
        });
        tokio::select! {
            () = control.stop_token().cancelled() => return,
            () = tokio::time::sleep(MEASURE_EVERY) => {}
        }
    }
}

fn measure_volume(room: &Room, growth: &mut Growth) -> Option<pod::Volume> {
    let DiskSpace {
        capacity_bytes,
        free_bytes,
    } = room.space().ok()?;
    let growth_per_day_bytes = growth.add(Instant::now(), capacity_bytes.saturating_sub(free_bytes));
    Some(pod::Volume {
        capacity_bytes,
        free_bytes,
        growth_per_day_bytes,
        days_left: growth_per_day_bytes.and_then(|growth| days_left(free_bytes, growth)),
    })
}

fn shown(stats: &Stats) -> pod::Store {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    pod::Store {
        rows: stats.entries,
        disk_bytes: stats.disk_bytes,
        merge_bytes_max: stats.merge_bytes_max,
        runs: small(stats.runs as u64),
        merges_pending: small(stats.merging.pending),
        filters_bytes: stats.filters_bytes.0,
        filters_max_bytes: stats.filters_bytes.1,
        unfiltered_rows: stats.unfiltered_rows,
    }
}
