//! The methods: each translates parameters, queries the index, and writes the answer as the text clients expect.

use std::sync::Arc;

use jsonrpsee_types::error::{ErrorObjectOwned, METHOD_NOT_FOUND_CODE};
use serde::Serialize;

use super::{
    caller::Caller,
    codes::{NOT_AVAILABLE, error},
    context::Context,
    index::{Answered, Index, IndexedBlock, ReadAt, Terms},
    lookup,
    params::{At, Params, bad, truncated},
    reply::{Answer, Outcome},
    wire::Request,
};
use crate::{chain::Height, fault::Fault, guest::ViewError};

/// A method that clients may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    View,
    Preview,
    Height,
    BlockHash,
    StateRoot,
    Snapshot,
    Get,
    Scan,
}

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

impl Method {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::View,
        Self::Preview,
        Self::Height,
        Self::BlockHash,
        Self::StateRoot,
        Self::Snapshot,
        Self::Get,
        Self::Scan,
    ];

    /// As it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::View => "metashrew_view",
            Self::Preview => "metashrew_preview",
            Self::Height => "metashrew_height",
            Self::BlockHash => "metashrew_getblockhash",
            Self::StateRoot => "metashrew_stateroot",
            Self::Snapshot => "metashrew_snapshot",
            Self::Get => "shrewd_get",
            Self::Scan => "shrewd_scan",
        }
    }

    /// How many parameters it takes at most.
    fn params_max(self) -> usize {
        match self {
            Self::Height | Self::Snapshot => 0,
            Self::BlockHash | Self::StateRoot => 1,
            Self::Get => 2,
            Self::View => 3,
            Self::Preview | Self::Scan => 4,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// Answers one request.
///
/// # Errors
/// As the contract assigns codes; the message is for people.
pub(super) async fn call<I: Index>(
    context: &Context<I>,
    caller: Caller,
    request: &Request<'_>,
) -> Result<Answer, ErrorObjectOwned> {
    let Some(method) = Method::named(&request.method) else {
        let message = format!("there is no method {:?}", truncated(&request.method));
        return Err(error(METHOD_NOT_FOUND_CODE, message));
    };
    if let Some(reason) = context.index.unavailable() {
        return Err(error(NOT_AVAILABLE, reason));
    }
    let params = Params::read(request.params, method.params_max())?;
    match method {
        Method::View => view(context, caller, params).await,
        Method::Preview => preview(context, caller, params).await,
        Method::Height => Ok(height(context)),
        // Display order: the bytes of the hash backwards, which is what its text form is.
        Method::BlockHash => of_block(context, params, |block| format!("0x{}", block.hash)).await,
        Method::StateRoot => of_block(context, params, |block| format!("0x{}", block.digest)).await,
        Method::Snapshot => snapshot(context).await,
        Method::Get => lookup::get(context, caller, method.name(), params).await,
        Method::Scan => lookup::scan(context, caller, method.name(), params).await,
    }
}

async fn view<I: Index>(
    context: &Context<I>,
    caller: Caller,
    mut params: Params<'_>,
) -> Result<Answer, ErrorObjectOwned> {
    let function = params.text("function")?.into_owned();
    let input = params.hex("input", &context.budget)?;
    let height = params.height_or_tip()?;
    run(context, caller, function, height, move |index, function, terms| {
        index.view(function, height, input, terms)
    })
    .await
}

async fn preview<I: Index>(
    context: &Context<I>,
    caller: Caller,
    mut params: Params<'_>,
) -> Result<Answer, ErrorObjectOwned> {
    let block = params.hex("block", &context.budget)?;
    let function = params.text("function")?.into_owned();
    let input = params.hex("input", &context.budget)?;
    let parent = params.height_or_tip()?;
    run(context, caller, function, parent, move |index, function, terms| {
        index.preview(function, parent, block, input, terms)
    })
    .await
}

/// Runs a view at a height or, without one, at the tip; by itself or after a block.
async fn run<I: Index>(
    context: &Context<I>,
    caller: Caller,
    function: String,
    height: Option<Height>,
    work: impl FnOnce(&I, &str, &Terms<'_>) -> Result<Answered, ViewError> + Send + 'static,
) -> Result<Answer, ErrorObjectOwned> {
    context.indexed()?;
    let answered = context.views.run(caller, function, work).await;
    let Answered { answer, at } = answered.map_err(|failure| failure.refused())?;
    caller.check(height.is_none(), at)?;
    Ok(Answer {
        result: Outcome::Bytes(answer.bytes),
        at: Some(at),
    })
}

fn height<I: Index>(context: &Context<I>) -> Answer {
    let tip = context.index.tip();
    Answer {
        result: Outcome::Text(tip.map_or(0, |tip| tip.height.0).to_string()),
        at: tip.map(ReadAt::from),
    }
}

async fn of_block<I: Index>(
    context: &Context<I>,
    mut params: Params<'_>,
    shown: impl FnOnce(IndexedBlock) -> String,
) -> Result<Answer, ErrorObjectOwned> {
    let height = match params.height()?.ok_or_else(|| bad("height is missing"))? {
        At::Latest => context.indexed()?.height,
        At::Height(height) => height,
    };
    let found = on_thread(&context.index, move |index| index.block(height)).await?;
    let Some(block) = found else {
        return Err(not_indexed(context, height).await);
    };
    let at = ReadAt {
        height,
        hash: Some(block.hash),
    };
    Ok(Answer {
        result: Outcome::Text(shown(block)),
        at: Some(at),
    })
}

/// Above the tip a height may come; below the first block it never does.
async fn not_indexed<I: Index>(context: &Context<I>, height: Height) -> ErrorObjectOwned {
    let tip = match context.indexed() {
        Ok(tip) => tip.height,
        Err(nothing) => return nothing,
    };
    if height > tip {
        return error(
            NOT_AVAILABLE,
            format!("height {height} is not indexed; the last one is {tip}"),
        );
    }
    match on_thread(&context.index, |index| index.sizes()).await {
        Ok(sizes) => {
            let first = (u64::from(tip.0) + 1).saturating_sub(sizes.blocks);
            error(
                NOT_AVAILABLE,
                format!("height {height} is never indexed: the first block of this index is {first}"),
            )
        }
        Err(unread) => unread,
    }
}

async fn snapshot<I: Index>(context: &Context<I>) -> Result<Answer, ErrorObjectOwned> {
    let sizes = on_thread(&context.index, |index| index.sizes()).await?;
    let height = context.index.tip().map_or(0, |tip| tip.height.0);
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
    let text = serde_json::to_string(&snapshot).map_err(|e| error(NOT_AVAILABLE, e.to_string()))?;
    Ok(Answer {
        result: Outcome::Text(text),
        at: None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_name_and_nothing_else_is() {
        for method in Method::ALL {
            assert_eq!(Method::named(method.name()), Some(method));
        }
        for name in ["", "_", "metashrew_", "metashrew_views", "METASHREW_VIEW"] {
            assert_eq!(Method::named(name), None, "{name:?}");
        }
    }
}
