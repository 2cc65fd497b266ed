//! `views`: the names of a module's views, asked through the API server.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use crds::pod::{OPS_PORT, VIEW_LIST_BYTES_MAX, VIEWS_PATH, ViewList};
use http::StatusCode;
use serde::Serialize;

use super::query;
use crate::{
    cluster::Cluster,
    document::{Format, document},
    forward::{self, Bounds, ForwardError},
    screen,
};

/// A pod answers from memory, so all of it is for forwarding.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(10),
    bytes: VIEW_LIST_BYTES_MAX,
};

/// The list, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    #[serde(flatten)]
    list: &'a ViewList,
    pod: &'a str,
}

/// A line for each view, and a remark for people where there is one.
///
/// # Errors
/// If no pod answers queries, it cannot be reached, or runs a version that does not list them.
pub async fn views(cluster: &Cluster, name: &str, format: Option<Format>) -> Result<(String, Option<String>)> {
    let (_, pod) = query::answering(cluster, name).await?;
    let asked = forward::get(cluster, &pod, OPS_PORT, VIEWS_PATH, BOUNDS).await;
    let answered = asked.map_err(|error| explained(error, &pod))?;
    let list: ViewList = serde_json::from_slice(&answered.body)
        .with_context(|| format!("pod {pod} answered with something other than a list of views"))?;
    match format {
        None => Ok(screen::views::views(name, &list)),
        Some(format) => Ok((document(&Listed { list: &list, pod: &pod }, format)?, None)),
    }
}

/// A path that a pod does not know is one of a version after its own.
fn explained(error: anyhow::Error, pod: &str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ForwardError::Status(StatusCode::NOT_FOUND)) => anyhow!(
            "pod {pod} runs a version that does not list its views; `shrewd-indexer check MODULE` does, of the file"
        ),
        _ => error.context(format!("ask pod {pod}")),
    }
}
