//! What a guest flushes: any message is taken as a generated protobuf decoder takes it, or refused where that refuses it.
#![no_main]

use std::sync::{Mutex, OnceLock, PoisonError};

use crds::pod::FaultClass;
use fuzz::{
    model,
    stage::{self, Rows},
};
use indexer::{guest::Indexing, state::WriteSet};
use libfuzzer_sys::fuzz_target;

/// What fits into the guest's memory.
const BYTES_MAX: usize = 200_000;

fn guest() -> &'static Mutex<Indexing> {
    static GUEST: OnceLock<Mutex<Indexing>> = OnceLock::new();
    GUEST.get_or_init(|| Mutex::new(Indexing::new(stage::load(include_str!("../guests/flush.wat")))))
}

fuzz_target!(|bytes: &[u8]| {
    let message = &bytes[..bytes.len().min(BYTES_MAX)];
    let mut guest = guest().lock().unwrap_or_else(PoisonError::into_inner);
    match (stage::index(&mut guest, message, &Rows::new()), model::flushed(message)) {
        (Ok(found), Some(pairs)) => assert_eq!(found, WriteSet::from_flushed(pairs)),
        (Err(fault), None) => assert_eq!(fault.class, FaultClass::Guest, "{fault}"),
        (found, wanted) => panic!("{found:?} instead of {wanted:?}"),
    }
});
