//! From a declared module to a compiled one, and how its state is shown.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use crds::{
    Phase,
    pod::{Check, module_reasons},
};
use tokio::runtime::Handle;

use super::process::Process;
use crate::{
    guest::{Engine, Module},
    module::{Limits, Source},
    telemetry::report::Report,
};

/// First pause between two attempts to use a module. The kubelet updates a changed `ConfigMap` within a minute.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause between two attempts to fetch one: soon after its server is back, and no burden on it before.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The module, as soon as it can be used. None: asked to stop meanwhile.
///
/// # Errors
/// When a one-shot run cannot use it, or its address cannot be read.
pub(super) fn usable_module(process: &Process, runtime: &Handle, engine: &Engine) -> Result<Option<Module>> {
    let source = Source::new(&process.config, &Limits::default())?;
    let stop = process.control.stop_token();
    let mut logged = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let bytes = runtime.block_on(stop.run_until_cancelled(source.bytes()));
        let Some(bytes) = bytes else { return Ok(None) };
        let loaded = bytes
            .map_err(|e| unusable(e.reason(), e))
            .and_then(|bytes| Module::load(engine, &bytes).map_err(|e| unusable(e.reason(), e)));
        show_module(&process.report, loaded.as_ref().err());
        let check = match loaded {
            Ok(module) => return Ok(Some(module)),
            Err(check) => check,
        };
        if process.one_shot {
            bail!("{}", check.message);
        }
        if logged.as_ref() != Some(&check) {
            tracing::error!(
                reason = check.reason,
                error = check.message,
                "the module cannot be used"
            );
        }
        // Bytes with the declared digest stay what they are: compiling them again would fail again.
        let retry_after = if may_change(&check) { pause } else { Duration::MAX };
        logged = Some(check);
        if source.is_remote() {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let stopped = runtime.block_on(async { tokio::time::timeout(retry_after, stop.cancelled()).await.is_ok() });
        if stopped {
            return Ok(None);
        }
    }
}

/// Shows the module's state. None: it can be used.
pub(super) fn show_module(report: &Report, unusable: Option<&Check>) {
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

/// A module that cannot be used, and why.
pub(super) fn unusable(reason: &str, error: impl std::error::Error + Send + Sync + 'static) -> Check {
    Check {
        ok: Some(false),
        reason: reason.into(),
        message: format!("{:#}", anyhow!(error)),
    }
}

/// Whether the next attempt can end otherwise.
fn may_change(check: &Check) -> bool {
    matches!(
        check.reason.as_str(),
        module_reasons::NOT_FOUND | module_reasons::FETCH_FAILED | module_reasons::DIGEST_MISMATCH
    )
}
