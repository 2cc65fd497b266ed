//! The store's tip, in the status of the process.

use crds::STORE_FORMAT;

use crate::{store::Store, telemetry::report::Report};

/// Shows the store's format, tip and lineage in the report.
pub(crate) fn show_tip(store: &Store, report: &Report) {
    let (tip, lineage) = (store.tip(), store.lineage());
    report.update(|status| {
        status.store_format = Some(STORE_FORMAT);
        status.lineage = lineage.shown();
        status.height = tip.map(|t| t.at.height.0);
        status.block_hash = tip.map(|t| t.at.hash.to_string());
        status.digest = tip.map(|t| t.digest.to_string());
    });
}
