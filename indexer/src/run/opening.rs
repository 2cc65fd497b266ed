//! From a folder to an open store, or to words about why its data cannot be gone on with.

use anyhow::Result;
use crds::pod::{Config, module_reasons};
use tokio::runtime::Handle;

use super::{Process, show_module, unusable};
use crate::{
    args,
    store::{Error, Store, Terms},
};

/// The store. None: asked to stop meanwhile.
pub(super) fn open_store(process: &Process, runtime: &Handle) -> Result<Option<Store>> {
    let opened = open(&process.config);
    let error = match opened {
        Ok(store) => return Ok(Some(store)),
        Err(error) => error,
    };
    if process.one_shot || !is_refusal(&process.config, &error) {
        return Err(error.into());
    }
    let refusal = unusable(module_reasons::IN_PLACE_REFUSED, error);
    tracing::error!(error = refusal.message, "the data cannot be gone on with");
    show_module(&process.report, Some(&refusal));
    // Whatever ends it, another module or another copy of the data, comes with a new start.
    runtime.block_on(process.control.stop_token().cancelled());
    Ok(None)
}

fn open(config: &Config) -> Result<Store, Error> {
    Store::open_on(
        &args::store_dir(&config.data_dir),
        &config.identity,
        Terms::from(config),
        config.max_reorg_depth,
    )
}

/// Whether it is up to a person, and for good: starting again would change nothing.
fn is_refusal(config: &Config, error: &Error) -> bool {
    match error {
        Error::InPlace { .. } => true,
        Error::Format { .. } | Error::UnknownFormat { .. } | Error::OtherIndex { .. } => config.in_place,
        _ => false,
    }
}
