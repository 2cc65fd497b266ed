//! How data lies in guest memory: a guest that calls every host function with any pointers ends as plain bytes say it
//! must, in blocks and in views, with the same pairs, the same answer or the same kind of failure.
#![no_main]

use std::sync::OnceLock;

use crds::pod::FaultClass;
use fuzz::{
    model::{self, CODES, Failed, Step},
    stage::{self, Rows},
};
use indexer::guest::{Indexing, Module, ViewError};
use libfuzzer_sys::fuzz_target;

/// More show nothing new.
const STEPS_MAX: usize = 100;

fn stage() -> &'static (Module, Rows) {
    static STAGE: OnceLock<(Module, Rows)> = OnceLock::new();
    STAGE.get_or_init(|| (stage::load(include_str!("../guests/border.wat")), model::rows()))
}

/// Six bytes are a step: most numbers are small, or close to where a memory of one page ends.
fn step(bytes: &[u8]) -> Step {
    let number = |kind: u8, low: u8, high: u8| match kind % 4 {
        0 => u32::from(low) % 64,
        1 => (1 << 16) - u32::from(low) % 64,
        2 => u32::from_le_bytes([low, high, 0, 0]),
        _ => u32::from_le_bytes([low, 0, 0, high]),
    };
    Step {
        code: bytes[0] % CODES,
        a: number(bytes[1], bytes[2], bytes[3]),
        b: number(bytes[1] >> 4, bytes[4], bytes[5]),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (module, rows) = stage();
    let steps: Vec<Step> = bytes.chunks_exact(6).take(STEPS_MAX).map(step).collect();
    let input: Vec<u8> = steps.iter().flat_map(|step| step.bytes()).collect();

    let indexed = stage::index(&mut Indexing::new(module.clone()), &input, rows);
    let indexed = indexed.map_err(|fault| match fault.class {
        FaultClass::Guest => Failed::Guest,
        FaultClass::Limit => Failed::Limit,
        other => panic!("{other:?}: {fault}"),
    });
    assert_eq!(indexed, model::index(&steps, &input, rows), "{steps:?}");

    let viewed = match stage::view(module, &input, rows) {
        Ok(answer) => Ok(Some(answer)),
        Err(ViewError::Limit(words)) if words.starts_with("the answer has") => Ok(None),
        Err(ViewError::Guest(_)) => Err(Failed::Guest),
        Err(ViewError::Limit(_)) => Err(Failed::Limit),
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(viewed, model::view(&steps, &input, rows), "{steps:?}");
});
