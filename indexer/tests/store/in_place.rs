//! Data that another module continues, and that is given back to the one before.

use std::path::Path;

use indexer::{
    chain::Height,
    store::{Error, Refusal, Store},
};
use tempfile::{TempDir, tempdir};

use crate::fixture::{Chain, DEEP, commit, dump, existing, go_on, identity, module, open, pairs, tamper};

const START: u32 = 3;

/// Commits blocks up to a height.
fn extend(store: &Store, chain: &mut Chain, to: u32) {
    for height in chain.next()..=to {
        let value = height.to_string();
        commit(store, chain.extend(0, pairs([("k", value.as_str()), (&value, "own")])));
    }
}

/// A folder with the blocks 3 to `tip` of the first module.
fn indexed(tip: u32, depth: u32) -> (TempDir, Chain) {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(START);
    extend(&open(dir.path(), START, depth), &mut chain, tip);
    (dir, chain)
}

fn refusal(opened: Result<Store, Error>) -> Refusal {
    match opened.expect_err("it must be refused") {
        Error::InPlace { refusal, .. } => refusal,
        other => panic!("{other}"),
    }
}

fn assert_in_order(dir: &Path, chain: &Chain) {
    let store = existing(dir);
    assert_eq!(store.tip(), chain.tip());
    assert_eq!(store.verify(|_| ()).unwrap().tip, chain.tip());
    drop(store);
    assert!(dump(dir) == chain.fresh_dump(), "another database");
}

#[test]
fn a_module_goes_on_where_it_is_told_and_that_counts_in_every_later_digest() {
    let (dir, mut chain) = indexed(12, DEEP);
    let (second, third) = (module("cd", START), module("ef", START));
    let alone = chain.clone();
    chain.cut(9);
    chain.hand_over(&second);
    let store = go_on(dir.path(), &second, Some(10), DEEP).unwrap();
    assert_eq!(store.tip(), chain.tip(), "two blocks are undone");
    extend(&store, &mut chain, 15);
    drop(store);
    assert_ne!(chain.blocks[7].tip.digest, alone.blocks[7].tip.digest);
    chain.hand_over(&third);
    let store = go_on(dir.path(), &third, None, DEEP).unwrap();
    extend(&store, &mut chain, 17);
    let shown = store.lineage().shown();
    assert_eq!(
        shown.iter().map(|step| step.from_height).collect::<Vec<_>>(),
        [3, 10, 16]
    );
    drop(store);
    assert_in_order(dir.path(), &chain);
    // Whoever comes next needs no leave to go on as it is.
    assert_eq!(Store::open(dir.path(), &third, DEEP).unwrap().tip(), chain.tip());
    let error = Store::open(dir.path(), &second, DEEP).unwrap_err();
    assert!(matches!(error, Error::OtherIndex { .. }), "{error}");
}

#[test]
fn a_module_that_is_taken_back_leaves_nothing_behind() {
    let (dir, chain) = indexed(12, DEEP);
    let mut continued = chain.clone();
    let second = module("cd", START);
    continued.hand_over(&second);
    let store = go_on(dir.path(), &second, None, DEEP).unwrap();
    extend(&store, &mut continued, 20);
    drop(store);
    drop(go_on(dir.path(), &identity(START), None, DEEP).unwrap());
    assert_in_order(dir.path(), &chain);
}

#[test]
fn a_module_that_is_taken_back_before_its_first_block_needs_no_leave() {
    let (dir, chain) = indexed(12, DEEP);
    drop(go_on(dir.path(), &module("cd", START), None, DEEP).unwrap());
    drop(open(dir.path(), START, DEEP));
    assert_in_order(dir.path(), &chain);
}

#[test]
fn a_reorganisation_below_its_first_block_lets_a_module_go_on_further_down() {
    let (dir, mut chain) = indexed(12, DEEP);
    let (second, third) = (module("cd", START), module("ef", START));
    chain.hand_over(&second);
    let store = go_on(dir.path(), &second, None, DEEP).unwrap();
    extend(&store, &mut chain, 14);
    drop(store);
    let store = go_on(dir.path(), &third, None, DEEP).unwrap();
    // To the middle of the second one's blocks, and below them.
    for to in [13, 8] {
        store.unwind(Some(Height(to))).unwrap();
        assert_eq!(store.lineage().newest(), &third);
        chain.cut(to);
    }
    chain.hand_over(&third);
    extend(&store, &mut chain, 10);
    drop(store);
    assert_in_order(dir.path(), &chain);
}

#[test]
fn an_index_that_is_undone_to_its_start_is_the_newest_module_s_alone() {
    let (dir, mut chain) = indexed(5, DEEP);
    let second = module("cd", START);
    chain.hand_over(&second);
    let store = go_on(dir.path(), &second, None, DEEP).unwrap();
    extend(&store, &mut chain, 7);
    store.unwind(None).unwrap();
    drop(store);
    let fresh = tempdir().unwrap();
    drop(Store::open(fresh.path(), &second, DEEP).unwrap());
    assert!(dump(dir.path()) == dump(fresh.path()), "another database");
    // An empty store is anybody's who has leave.
    drop(go_on(dir.path(), &identity(START), None, DEEP).unwrap());
    assert_eq!(open(dir.path(), START, DEEP).tip(), None);
}

#[test]
fn what_cannot_be_gone_on_with_is_refused_and_stays_as_it_is() {
    let depth = 4;
    let (dir, mut chain) = indexed(12, depth);
    let second = module("cd", START);
    let short = refusal(go_on(dir.path(), &second, Some(14), depth));
    assert!(
        matches!(
            short,
            Refusal::Short {
                tip: Height(12),
                at: Height(14)
            }
        ),
        "{short}"
    );
    let deep = refusal(go_on(dir.path(), &second, Some(8), depth));
    assert!(
        matches!(
            deep,
            Refusal::TooDeep {
                lowest: Height(8),
                oldest: Some(Height(9)),
                ..
            }
        ),
        "{deep}"
    );
    let elsewhere = crds::Identity {
        network: crds::Network::Signet,
        ..second.clone()
    };
    let field = refusal(go_on(dir.path(), &elsewhere, None, depth));
    assert!(
        matches!(
            field,
            Refusal::Field {
                field: "chain.network",
                ..
            }
        ),
        "{field}"
    );
    assert_in_order(dir.path(), &chain);

    chain.hand_over(&second);
    let store = go_on(dir.path(), &second, Some(13), depth).unwrap();
    extend(&store, &mut chain, 17);
    drop(store);
    let deep = refusal(go_on(dir.path(), &identity(START), None, depth));
    let text = deep.to_string();
    for part in [
        "blocks 13 to 17",
        "only blocks 14 to 17",
        "declare module cdcdcdcdcdcd",
        "BlueGreen",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_in_order(dir.path(), &chain);
}

#[test]
fn an_empty_store_does_not_begin_in_the_middle_of_another_module_s_data() {
    let dir = tempdir().unwrap();
    for _ in 0..2 {
        let empty = refusal(go_on(dir.path(), &module("cd", START), Some(10), DEEP));
        assert!(matches!(empty, Refusal::Empty { at: Height(10) }), "{empty}");
    }
    drop(go_on(dir.path(), &module("cd", START), Some(START), DEEP).unwrap());
}

#[test]
fn a_lineage_that_cannot_be_is_damage() {
    let put = |db: &rocksdb::DB, text: &str| db.put_cf(db.cf_handle("meta").unwrap(), "lineage", text).unwrap();
    let step = |from: u32| {
        let identity = serde_json::to_string(&module("cd", START)).unwrap();
        format!(r#"[{{"fromHeight":{from},"identity":{identity}}}]"#)
    };
    for text in ["{}".to_owned(), step(START), step(14)] {
        let (dir, _) = indexed(12, DEEP);
        tamper(dir.path(), |db| put(db, &text));
        let error = Store::open(dir.path(), &identity(START), DEEP).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{text}: {error}");
    }
    let (dir, _) = indexed(12, DEEP);
    tamper(dir.path(), |db| put(db, &step(13)));
    assert!(Store::open(dir.path(), &module("cd", START), DEEP).is_ok());
}
