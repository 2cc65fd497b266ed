//! The wiring of one process: ports, signals, the module, the store, the pipeline, and the order in which they end.

mod opening;

use std::{sync::Arc, thread, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use axum::Router;
use crds::{
    Phase,
    pod::{Check, Config, module_reasons},
};
use indicatif::ProgressBar;
use tokio::{
    net::TcpListener,
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::args::{Credentials, Launch},
    control::Control,
    guest::{Engine, EngineConfig, Indexing, Module},
    module,
    pipeline::{Finished, Pipeline, Settings, Shared, execute::Executor},
    seed::serve::{Copies, router as copies_router},
    serve::descriptors,
    serve::listener::{self, Limits},
    serve::ops::{self, Ops},
    serve::rpc,
    serve::serving::Serving,
    source::{Login, configured::Configured},
    store::Store,
    telemetry::metrics::Metrics,
    telemetry::progress::Progress,
    telemetry::report::Report,
};

/// Pause between two looks at a module that cannot be used. The kubelet brings a changed `ConfigMap` within a minute.
const MODULE_LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a pod goes on answering after it was asked to stop. Its removal from the Service takes that long to reach
/// every node, and until then clients still come.
const LINGER: Duration = Duration::from_secs(3);
/// How long open connections may take to end once the process is asked to stop; a sixth of what Kubernetes gives.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause between two looks at the size of the store: as often as Prometheus usually scrapes.
const MEASURE_EVERY: Duration = Duration::from_secs(15);
/// The longest pause between two tries to fetch a module: soon after its server is back, and no burden on it before.
const FETCH_AGAIN_MAX: Duration = Duration::from_secs(60);
/// How far indexing stands back where processors are short: a query is a moment's work that somebody waits for.
const INDEXING_NICENESS: i32 = 5;
/// Stack of the thread that runs the guest: 2 MiB for the guest, as much again for the host functions below it.
const STACK_BYTES: usize = 4 << 20;

/// What the threads of a process share.
struct Process {
    config: Config,
    credentials: Option<Credentials>,
    /// A module that cannot be used ends the process instead of being waited for: nobody will mend it meanwhile.
    one_shot: bool,
    report: Arc<Report>,
    metrics: Arc<Metrics>,
    control: Arc<Control>,
    serving: Arc<Serving>,
    copies: Arc<Copies>,
    progress: Arc<Progress>,
}

/// Indexes and serves until a signal comes, or the height given as the end is reached.
///
/// # Errors
/// When it cannot start, or when a one-shot run ends in anything but success.
pub fn run(launch: Launch, bar: ProgressBar) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve_and_index(launch, bar));
    // A view that runs on may not hold up the end: its instance goes with the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn serve_and_index(launch: Launch, bar: ProgressBar) -> Result<()> {
    let Launch {
        config,
        credentials,
        notices,
        one_shot,
    } = launch;
    for notice in notices {
        tracing::info!("{notice}");
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
    let ops = ops.merge(copies_router(copies.clone()));
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
    let process = Process {
        config,
        credentials,
        one_shot,
        report: report.clone(),
        metrics,
        control: control.clone(),
        serving,
        copies,
        progress: Arc::new(Progress::new(bar)),
    };
    let ended = index_on_a_thread(process).await;
    report.update(|status| status.phase = Phase::Stopping);
    if control.stop_token().is_cancelled() && !one_shot {
        tokio::time::sleep(LINGER).await;
    }
    closing.cancel();
    // Past the drain time what is still open is cut off by the end of the process.
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
            // All threads that this one starts have it too, those of the database among them. A system that refuses
            // only lets queries wait longer.
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
    let Some(module) = usable_module(process, runtime, &engine)? else {
        return Ok(());
    };
    let Some(store) = opening::open_store(process, runtime)? else {
        return Ok(());
    };
    serving.open(store.clone(), module.clone());
    process.copies.open(store.clone());
    runtime.spawn(measure_store(store.clone(), metrics.clone(), control.clone()));
    let login = process.credentials.clone().map(|c| Login {
        username: c.username,
        password: c.password,
    });
    let source = Configured::new(&config.source, config.identity.network, login.as_ref())?;
    let shared = Shared {
        settings: Arc::new(Settings::from(config)),
        store,
        report: report.clone(),
        metrics: metrics.clone(),
        control: control.clone(),
        progress: progress.clone(),
    };
    let executor = Executor::new(Indexing::new(module));
    let finished = Pipeline::new(Arc::new(source), shared, executor, runtime.clone()).run();
    progress.finish();
    match finished {
        Finished::Stopped if config.exit_at.is_some() => Err(anyhow!("stopped before the height given by --exit-at")),
        Finished::Stopped | Finished::ReachedExit => Ok(()),
        Finished::StoreFailed(fault) => Err(anyhow!("the store failed, start again: {fault}")),
        Finished::Halted(halt) => Err(anyhow!("halted below block {}: {}", halt.height, halt.message)),
    }
}

/// The module, as soon as it can be used. None: asked to stop meanwhile.
fn usable_module(process: &Process, runtime: &Handle, engine: &Engine) -> Result<Option<Module>> {
    let source = module::Source::new(&process.config, &module::Limits::default())?;
    let mut told = None;
    let mut pause = MODULE_LOOK_EVERY;
    loop {
        let found = runtime.block_on(async {
            tokio::select! {
                () = process.control.stop_token().cancelled() => None,
                bytes = source.bytes() => Some(bytes),
            }
        });
        let Some(bytes) = found else { return Ok(None) };
        let found = bytes
            .map_err(|e| unusable(e.reason(), e))
            .and_then(|bytes| Module::load(engine, &bytes).map_err(|e| unusable(e.reason(), e)));
        show_module(&process.report, found.as_ref().err());
        let unusable = match found {
            Ok(module) => return Ok(Some(module)),
            Err(unusable) => unusable,
        };
        if process.one_shot {
            bail!("{}", unusable.message);
        }
        if told.as_ref() != Some(&unusable) {
            tracing::error!(
                reason = unusable.reason,
                error = unusable.message,
                "the module cannot be used, will look again"
            );
            told = Some(unusable);
        }
        // Bytes with the declared digest stay what they are: compiling them again would fail again.
        let is_final = told.as_ref().is_some_and(|check| !is_worth_another_look(check));
        let look_again = if is_final { Duration::MAX } else { pause };
        if source.is_remote() {
            pause = (pause * 2).min(FETCH_AGAIN_MAX);
        }
        let stopped = runtime.block_on(async {
            tokio::time::timeout(look_again, process.control.stop_token().cancelled())
                .await
                .is_ok()
        });
        if stopped {
            return Ok(None);
        }
    }
}

/// None: it can be used.
fn show_module(report: &Report, unusable: Option<&Check>) {
    report.update(|status| {
        status.phase = match unusable {
            None => Phase::Starting,
            Some(_) => Phase::ModuleInvalid,
        };
        status.module = unusable.cloned().unwrap_or_else(|| Check {
            ok: Some(true),
            reason: module_reasons::VERIFIED.into(),
            message: String::new(),
        });
    });
}

fn is_worth_another_look(check: &Check) -> bool {
    matches!(
        check.reason.as_str(),
        module_reasons::NOT_FOUND | module_reasons::FETCH_FAILED | module_reasons::DIGEST_MISMATCH
    )
}

fn unusable(reason: &str, error: impl std::error::Error + Send + Sync + 'static) -> Check {
    Check {
        ok: Some(false),
        reason: reason.into(),
        message: format!("{:#}", anyhow!(error)),
    }
}

/// Keeps the figures of the store fresh. RocksDB answers from its own counters, without I/O.
async fn measure_store(store: Store, metrics: Arc<Metrics>, control: Arc<Control>) {
    loop {
        let stats = store.stats();
        metrics.store_occupies(stats.families.iter().map(|family| (family.name, family.disk_bytes)));
        let (used, capacity) = store.cache_bytes();
        metrics.store_caches(used, capacity);
        tokio::select! {
            () = control.stop_token().cancelled() => return,
            () = tokio::time::sleep(MEASURE_EVERY) => {}
        }
    }
}

async fn serve(
    what: &'static str,
    listen: &str,
    router: Router,
    limits: Limits,
    closing: &CancellationToken,
) -> Result<JoinHandle<()>> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen for {what} on {listen}"))?;
    Ok(tokio::spawn(listener::serve(listener, router, limits, closing.clone())))
}

fn stop_on_signal(control: &Arc<Control>, report: &Arc<Report>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (control, report) = (control.clone(), report.clone());
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop: finishing what is under way");
        report.update(|status| status.phase = Phase::Stopping);
        control.stop();
    });
    Ok(())
}
