//! Opens the store: first filled with a copy of another pod's or a snapshot, where the configuration says so. Data that
//! cannot be continued is reported in the status.

use anyhow::Result;
use crds::{
    StoreMemory, memory_budget,
    pod::{Bootstrap, Check, Config, FaultClass, Seed, module_reasons, seed_reasons},
    store_memory,
};
use tokio::runtime::Handle;

use super::{
    claiming::{claim, when_free},
    module::{show_module, unusable},
    origins::{Origin, origins},
    process::Process,
};
use crate::{
    cli::args,
    fault::Fault,
    machine,
    pipeline::{room::wait_for_room, tip::show_tip},
    rows::Room,
    seed::fill::{Filled, Filling},
    snapshot::{
        Claim,
        begin::{Beginning, Begun},
        publish, restore,
    },
    store::{Error, Limits, Refusal, Store, Terms},
};

/// The store. None: asked to stop meanwhile.
pub(super) fn open_store(process: &Process, runtime: &Handle) -> Result<Option<Store>> {
    let claim = claim(process)?;
    let error = loop {
        let Some(opened) = open_filled(process, runtime, &claim)? else {
            return Ok(None);
        };
        match opened {
            Ok(store) => {
                let data_dir = &process.config.data_dir;
                publish::remove_leftovers(data_dir, &claim);
                restore::remove_leftovers(data_dir, &claim);
                return Ok(Some(store));
            }
            Err(error) if process.one_shot || !is_for_want_of_room(&process.config, &error) => break error,
            Err(error) => {
                let room = Room::of(&process.config.data_dir);
                let fault = Fault {
                    class: FaultClass::DiskFull,
                    ..error.into()
                };
                let (report, stop) = (&process.report, process.control.stop_token());
                runtime.block_on(wait_for_room(&fault, || room.space(), report, stop));
                report.update(|status| status.trouble = None);
            }
        }
        if process.control.stop_token().is_cancelled() {
            return Ok(None);
        }
    };
    if process.one_shot || !is_refusal(&process.config, &error) {
        return Err(error.into());
    }
    // What is there is nobody's for now, and may be published by a command.
    drop(claim);
    let refusal = unusable(module_reasons::IN_PLACE_REFUSED, error);
    tracing::error!(error = refusal.message, "the data cannot be continued");
    show_module(&process.report, Some(&refusal));
    // The height and lineage of the data, which the next declaration depends on.
    if let Ok(store) = Store::open_existing(&args::store_dir(&process.config.data_dir)) {
        show_tip(&store, &process.report);
    }
    // Another module, or another copy of the data, comes with a restart.
    runtime.block_on(process.control.stop_token().cancelled());
    Ok(None)
}

/// Opens a store that is filled first if it has no blocks. None: asked to stop meanwhile.
fn open_filled(process: &Process, runtime: &Handle, claim: &Claim) -> Result<Option<Result<Store, Error>>> {
    let Process { config, report, .. } = process;
    let origins = origins(config);
    if origins.is_empty() {
        return Ok(Some(open_free(process)));
    }
    let mut opened = args::store_dir(&config.data_dir).exists().then(|| open_free(process));
    if opened.as_ref().is_none_or(lacks_blocks) {
        // Closed, since filling replaces it.
        drop(opened);
        process.copies.filling();
        match runtime.block_on(fill(process, &origins, claim))? {
            Filled::Stopped => return Ok(None),
            Filled::NoCopy => return Ok(Some(open(config))),
            Filled::Copied => opened = Some(open(config)),
        }
    }
    if matches!(opened, Some(Ok(_))) {
        report.update(|status| {
            status.seed = Check {
                ok: Some(true),
                reason: seed_reasons::SEEDED.into(),
                message: String::new(),
            };
        });
    }
    Ok(opened)
}

/// Fills the store from the first of these that has anything to give.
async fn fill(process: &Process, origins: &[Origin<'_>], claim: &Claim) -> Result<Filled> {
    let stop = process.control.stop_token();
    for origin in origins {
        let filled = match origin {
            Origin::Siblings(seed) => filling(process, seed).run(stop).await?,
            Origin::Snapshot(bootstrap) => match beginning(process, bootstrap).run(claim, stop).await? {
                Begun::Restored => Filled::Copied,
                Begun::Stopped => Filled::Stopped,
            },
        };
        if filled != Filled::NoCopy {
            return Ok(filled);
        }
    }
    Ok(Filled::NoCopy)
}

fn filling(process: &Process, seed: &Seed) -> Filling {
    let config = &process.config;
    Filling {
        identity: config.identity.clone(),
        seed: seed.clone(),
        data_dir: config.data_dir.clone(),
        store_dir: args::store_dir(&config.data_dir),
        report: process.report.clone(),
        own_name: std::env::var("HOSTNAME").ok(),
    }
}

fn beginning(process: &Process, bootstrap: &Bootstrap) -> Beginning {
    let config = &process.config;
    Beginning {
        bootstrap: bootstrap.clone(),
        identity: config.identity.clone(),
        data_dir: config.data_dir.clone(),
        store_dir: args::store_dir(&config.data_dir),
        report: process.report.clone(),
        is_one_shot: process.one_shot,
    }
}

/// Opens the store when no other process has it open.
fn open_free(process: &Process) -> Result<Store, Error> {
    let is_in_use = |error: &_| matches!(error, Error::Locked { .. });
    when_free(process, || open(&process.config), is_in_use)
}

fn open(config: &Config) -> Result<Store, Error> {
    Store::open_within(
        &args::store_dir(&config.data_dir),
        &config.identity,
        Terms::from(config),
        config.max_reorg_depth,
        &Limits {
            filters_bytes: memory_of_store(config).filters_bytes,
        },
    )
}

/// What the store gets of the memory that this process has.
pub(super) fn memory_of_store(config: &Config) -> StoreMemory {
    let limit_bytes = config.identity.memory_limit_bytes;
    let budget = memory_budget(config.threshold_bytes, limit_bytes, &config.views, config.cache_bytes);
    store_memory(machine::memory(), limit_bytes, budget.views_bytes, config.cache_bytes)
}

fn lacks_blocks(opened: &Result<Store, Error>) -> bool {
    match opened {
        Ok(store) => store.tip().is_none(),
        Err(Error::InPlace { refusal, .. }) => matches!(refusal, Refusal::Empty { .. }),
        Err(_) => false,
    }
}

/// Whether it could be opened with more room on the disk. The database's own words do not tell, so the disk is asked.
fn is_for_want_of_room(config: &Config, error: &Error) -> bool {
    let is_of_disk = matches!(error, Error::Open { .. } | Error::Write { .. }) || error.class() == FaultClass::DiskFull;
    let is_full = || Room::of(&config.data_dir).space().is_ok_and(|space| !space.has(0));
    is_of_disk && is_full()
}

/// Whether only another declaration can help: a restart would change nothing.
fn is_refusal(config: &Config, error: &Error) -> bool {
    match error {
        Error::InPlace { .. } => true,
        Error::Format { .. } | Error::OtherIndex { .. } => config.in_place,
        _ => false,
    }
}
