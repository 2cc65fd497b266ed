//! The methods: each translates parameters, asks the index, and writes the answer as the text clients expect.

use std::{sync::Arc, time::Instant};

use jsonrpsee_types::error::{ErrorObjectOwned, INVALID_PARAMS_CODE, METHOD_NOT_FOUND_CODE};
use serde::Serialize;

use super::{
    Index, IndexedBlock, NOT_AVAILABLE, OVER_LIMIT, Server, VIEW_FAILED,
    params::{At, Params, bad, truncated},
    places::Client,
    views::Failure,
    wire::Request,
};
use crate::{
    fault::Fault,
    guest::{CancelFlag, ViewAnswer, ViewError},
};

const NOTHING_INDEXED: &str = "nothing is indexed yet";
/// A guest's own words may be as long as its memory.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// The answer to `metashrew_snapshot`; the fields about snapshots are there because clients read them, and are true.
#[derive(Serialize)]
struct Snapshot {
    enabled: bool,
    current_height: u32,
    indexed_height: u32,
    total_entries: u64,
    storage_size_bytes: u64,
    sync_mode: &'static str,
    snapshots_created: u64,
    snapshots_applied: u64,
    last_snapshot_height: u32,
    blocks_synced_normally: u64,
    blocks_synced_from_snapshots: u64,
}

/// Answers one request.
///
/// # Errors
/// As the contract assigns codes; the message is for people.
pub(super) async fn call<I: Index>(
    server: &Server<I>,
    client: Client,
    request: &Request<'_>,
) -> Result<String, ErrorObjectOwned> {
    let params = |max| Params::read(request.params, max);
    let method = request.method.as_ref();
    if !matches!(
        method,
        "metashrew_view"
            | "metashrew_preview"
            | "metashrew_height"
            | "metashrew_getblockhash"
            | "metashrew_stateroot"
            | "metashrew_snapshot"
    ) {
        let message = format!("there is no method {:?}", truncated(method));
        return Err(error(METHOD_NOT_FOUND_CODE, message));
    }
    if let Some(reason) = server.index.unavailable() {
        return Err(error(NOT_AVAILABLE, reason));
    }
    match method {
        "metashrew_view" => view(server, client, params(3)?).await,
        "metashrew_preview" => preview(server, client, params(4)?).await,
        "metashrew_getblockhash" => {
            let block = block(server, params(1)?).await?;
            // Display order: the bytes of the hash backwards, which is what its text form is.
            Ok(format!("0x{}", block.hash))
        }
        "metashrew_stateroot" => {
            let block = block(server, params(1)?).await?;
            Ok(format!("0x{}", block.digest))
        }
        "metashrew_snapshot" => {
            params(0)?;
            snapshot(server).await
        }
        _ => {
            params(0)?;
            Ok(server.index.tip().map_or(0, |tip| tip.height.0).to_string())
        }
    }
}

async fn view<I: Index>(
    server: &Server<I>,
    client: Client,
    mut params: Params<'_>,
) -> Result<String, ErrorObjectOwned> {
    let function = params.text("function")?.into_owned();
    let input = params.hex("input")?.into();
    let height = params.height_or_tip()?;
    run(server, client, function, move |index, function, deadline, cancel| {
        index.view(function, height, input, deadline, cancel)
    })
    .await
}

async fn preview<I: Index>(
    server: &Server<I>,
    client: Client,
    mut params: Params<'_>,
) -> Result<String, ErrorObjectOwned> {
    let block = params.hex("block")?.into();
    let function = params.text("function")?.into_owned();
    let input = params.hex("input")?.into();
    let parent = params.height_or_tip()?;
    run(server, client, function, move |index, function, deadline, cancel| {
        index.preview(function, parent, block, input, deadline, cancel)
    })
    .await
}

/// Runs a view, by itself or after a block, and writes its answer as hex.
async fn run<I: Index>(
    server: &Server<I>,
    client: Client,
    function: String,
    work: impl FnOnce(&I, &str, Instant, &CancelFlag) -> Result<ViewAnswer, ViewError> + Send + 'static,
) -> Result<String, ErrorObjectOwned> {
    if server.index.tip().is_none() {
        return Err(error(NOT_AVAILABLE, NOTHING_INDEXED));
    }
    let answer = server
        .views
        .run(&server.index, &server.metrics, client, function, work)
        .await
        .map_err(|failure| error(code(&failure), failure.to_string()))?;
    Ok(format!("0x{}", hex::encode(&answer.bytes)))
}

async fn block<I: Index>(server: &Server<I>, mut params: Params<'_>) -> Result<IndexedBlock, ErrorObjectOwned> {
    let nothing = || error(NOT_AVAILABLE, NOTHING_INDEXED);
    let height = match params.height()?.ok_or_else(|| bad("height is missing"))? {
        At::Latest => server.index.tip().ok_or_else(nothing)?.height,
        At::Height(height) => height,
    };
    let found = on_thread(&server.index, move |index| index.block(height)).await?;
    found.ok_or_else(|| match server.index.tip() {
        Some(tip) => error(
            NOT_AVAILABLE,
            format!("height {height} is not indexed; the last one is {}", tip.height),
        ),
        None => nothing(),
    })
}

async fn snapshot<I: Index>(server: &Server<I>) -> Result<String, ErrorObjectOwned> {
    let sizes = on_thread(&server.index, |index| index.sizes()).await?;
    let height = server.index.tip().map_or(0, |tip| tip.height.0);
    let snapshot = Snapshot {
        enabled: false,
        current_height: height,
        indexed_height: height,
        total_entries: sizes.entries,
        storage_size_bytes: sizes.bytes_on_disk,
        sync_mode: "normal",
        snapshots_created: 0,
        snapshots_applied: 0,
        last_snapshot_height: 0,
        blocks_synced_normally: sizes.blocks,
        blocks_synced_from_snapshots: 0,
    };
    serde_json::to_string(&snapshot).map_err(|e| error(NOT_AVAILABLE, e.to_string()))
}

/// Reads of the store may wait for the disk, which no thread of the server should.
async fn on_thread<I: Index, T: Send + 'static>(
    index: &Arc<I>,
    read: impl FnOnce(&I) -> Result<T, Fault> + Send + 'static,
) -> Result<T, ErrorObjectOwned> {
    let index = Arc::clone(index);
    match tokio::task::spawn_blocking(move || read(&index)).await {
        Ok(result) => result.map_err(|fault| error(NOT_AVAILABLE, fault.message)),
        Err(ended) => Err(error(NOT_AVAILABLE, format!("the reading thread ended: {ended}"))),
    }
}

fn code(failure: &Failure) -> i32 {
    match failure {
        Failure::View(ViewError::UnknownFunction(_)) => INVALID_PARAMS_CODE,
        Failure::View(ViewError::Guest(_)) => VIEW_FAILED,
        Failure::View(ViewError::Limit(_)) | Failure::Deadline { .. } | Failure::Busy { .. } => OVER_LIMIT,
        Failure::View(ViewError::Host(_) | ViewError::Cancelled) => NOT_AVAILABLE,
    }
}

/// An error with a message of bounded length.
pub(super) fn error(code: i32, message: impl Into<String>) -> ErrorObjectOwned {
    let mut message = message.into();
    message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
    ErrorObjectOwned::owned(code, message, None::<()>)
}
