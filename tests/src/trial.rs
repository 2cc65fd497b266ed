//! A test in a namespace of its own, which is deleted afterwards. If it fails, the namespace's contents are printed
//! first.

use std::panic::{AssertUnwindSafe, resume_unwind};

use anyhow::{Context, Result};
use futures::FutureExt;

use crate::{cluster::Cluster, dump, namespace::Namespace};

/// Runs a test in a namespace of its own. With `SHREWD_E2E_KEEP` set, the namespace of a failed test stays.
///
/// # Errors
/// The test's own, and those of making the namespace and of deleting that of a test that passed.
pub async fn in_namespace(about: &str, test: impl AsyncFnOnce(&Namespace) -> Result<()>) -> Result<()> {
    let namespace = Namespace::create(Cluster::connect().await?, about).await?;
    let outcome = AssertUnwindSafe(test(&namespace)).catch_unwind().await;
    if matches!(outcome, Ok(Ok(()))) {
        return namespace.delete().await;
    }
    // First of all: what follows is long, and whoever reads an excerpt reads its beginning.
    if let Ok(Err(error)) = &outcome {
        eprintln!("==== {error:#}");
    }
    dump::show(&namespace).await;
    if std::env::var_os("SHREWD_E2E_KEEP").is_none()
        && let Err(error) = namespace.delete().await
    {
        // Not returned: it would hide the test's own failure.
        eprintln!("{} could not be deleted: {error:#}", namespace.name);
    }
    outcome
        .unwrap_or_else(|panic| resume_unwind(panic))
        .with_context(|| format!("in {}", namespace.name))
}
