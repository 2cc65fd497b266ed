//! The modules in `tests/guests` do what their headers say; tests on a cluster build on that.

use crds::pod::FaultClass;
use indexer::{
    fault::Fault,
    guest::{Indexing, Module},
    state::WriteSet,
};

use crate::stage::{self, MIB, Rows};

fn load(name: &str) -> Module {
    Module::load(&stage::engine_with_limit(64 * MIB), &stage::guest(name)).unwrap()
}

fn block(height: u32) -> Vec<u8> {
    let mut block = vec![0xbb; 80];
    block[..4].copy_from_slice(&height.to_be_bytes());
    block
}

fn run(indexing: &mut Indexing, height: u32) -> Result<WriteSet, Fault> {
    stage::run_at(indexing, height, &block(height), Rows::default())
}

/// What a module with both keys stores.
fn assert_stores_both_keys(writes: &WriteSet, height: u32) {
    let key = [&b"h/"[..], &height.to_le_bytes()].concat();
    let expected = [
        (&key[..], &block(height)[..32]),
        (&b"height"[..], &height.to_le_bytes()[..]),
    ];
    let mut pairs = stage::pairs(writes);
    pairs.sort_unstable();
    assert_eq!(pairs, expected);
}

#[test]
fn every_indexer_answers_get() {
    for name in ["plain", "leaky", "trap-at", "old-instance", "loop-view", "greedy"] {
        let module = load(name);
        let rows = Rows::of(&[("some key", b"its value"), ("empty", b"")]);
        let get = |key: &[u8]| stage::view(&module, "get", key, rows.clone()).unwrap();
        assert_eq!(get(b"some key").bytes, "its value", "{name}");
        for absent in [&b"empty"[..], b"none", b""] {
            assert_eq!((get(absent).bytes.len(), get(absent).malformed), (0, false), "{name}");
        }
    }
}

#[test]
fn plain_and_loop_view_store_the_height() {
    for name in ["plain", "loop-view"] {
        let mut indexing = Indexing::new(load(name));
        for height in [0, 1, 901_234] {
            let writes = run(&mut indexing, height).unwrap();
            assert_eq!(stage::pairs(&writes), [(&b"height"[..], &height.to_le_bytes()[..])]);
        }
    }
}

#[test]
fn what_leaky_stores_does_not_depend_on_refreshes_but_its_life_does() {
    let module = load("leaky");
    let (mut kept, mut fresh) = (Indexing::new(module.clone()), Indexing::new(module));
    // 5 MiB at first and 1 MiB more per block: the 59th reaches the limit of 64 MiB.
    for height in 1..=59 {
        fresh.refresh().unwrap();
        let writes = run(&mut fresh, height).unwrap();
        assert_stores_both_keys(&writes, height);
        assert_eq!(run(&mut kept, height).unwrap(), writes);
    }
    let fault = run(&mut kept, 60).unwrap_err();
    assert_eq!(fault.class, FaultClass::Limit, "{fault}");
    assert_stores_both_keys(&run(&mut kept, 60).unwrap(), 60);
}

#[test]
fn trap_at_fails_at_its_height_on_every_instance() {
    let mut indexing = Indexing::new(load("trap-at"));
    assert_stores_both_keys(&run(&mut indexing, 149).unwrap(), 149);
    for _ in 0..2 {
        let fault = run(&mut indexing, 150).unwrap_err();
        assert_eq!(fault, Fault::guest("abort: no luck at height 150 (trap-at.wat:1:1)"));
    }
    assert_stores_both_keys(&run(&mut indexing, 151).unwrap(), 151);
}

#[test]
fn old_instance_works_for_a_hundred_blocks_and_again_when_fresh() {
    let mut indexing = Indexing::new(load("old-instance"));
    for height in 1..=100 {
        assert_stores_both_keys(&run(&mut indexing, height).unwrap(), height);
    }
    let fault = run(&mut indexing, 101).unwrap_err();
    assert_eq!(
        fault,
        Fault::guest("abort: this instance is too old (old-instance.wat:1:1)")
    );
    assert_stores_both_keys(&run(&mut indexing, 101).unwrap(), 101);
}

#[test]
fn what_is_stored_can_be_read_back_by_a_view() {
    let module = load("leaky");
    let mut rows = Rows::default();
    rows.apply(&run(&mut Indexing::new(module.clone()), 258).unwrap());
    let answer = stage::view(&module, "get", b"h/\x02\x01\0\0", rows).unwrap();
    assert_eq!(answer.bytes, &block(258)[..32]);
}

#[test]
fn no_start_is_refused() {
    let engine = stage::engine_with_limit(64 * MIB);
    let error = Module::load(&engine, &stage::guest("no-start")).err().unwrap();
    assert_eq!(error.reason(), crds::pod::module_reasons::MISSING_EXPORT);
}
