//! `why`: what is not as it should be, and what to do about it.

use anyhow::Result;
use k8s_openapi::jiff::Timestamp;

use crate::{
    cluster::Cluster,
    document::{Format, document},
    facts::Facts,
    findings::findings,
    indexers, screen,
    style::Style,
};

/// The findings. It takes no right but to get Indexers.
///
/// # Errors
/// If the Indexer cannot be had.
pub async fn why(cluster: &Cluster, name: &str, format: Option<Format>, style: Style) -> Result<String> {
    let seen = indexers::get(cluster, name).await?;
    let findings = findings(&seen);
    match format {
        Some(format) => document(&findings, format),
        None => Ok(screen::why::why(&Facts::of(&seen), &findings, Timestamp::now(), style)),
    }
}
