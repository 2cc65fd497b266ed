//! `status`: everything about an Indexer on one screen.

use anyhow::Result;
use k8s_openapi::jiff::Timestamp;

use crate::{
    cluster::Cluster,
    document::{Format, document},
    facts::Facts,
    indexers, screen,
    style::Style,
};

/// The screen, or a document. It takes no right but to get Indexers.
///
/// # Errors
/// If the Indexer cannot be had.
pub async fn status(cluster: &Cluster, name: &str, format: Option<Format>, style: Style) -> Result<String> {
    let facts = Facts::of(&indexers::get(cluster, name).await?);
    match format {
        Some(format) => document(&facts, format),
        None => Ok(screen::status::status(&facts, Timestamp::now(), style)),
    }
}
