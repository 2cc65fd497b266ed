//! Crates with circles planted in them, and crates that only look as if they had one.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::{fs, process::Command};

use tempfile::TempDir;

/// A crate of these files.
fn planted(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Its circles, each as the names of its files, sorted.
fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = planted(files);
    let name = |path: &std::path::Path| path.strip_prefix(folder.path()).unwrap().display().to_string();
    checks::circles::find(&folder.path().join("lib.rs"))
        .unwrap()
        .iter()
        .map(|circle| {
            let mut files: Vec<String> = circle.0.iter().map(|edge| name(&edge.from)).collect();
            files.sort();
            files
        })
        .collect()
}

#[track_caller]
fn one_circle(files: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(circles(files), [expected]);
}

#[track_caller]
fn no_circle(files: &[(&str, &str)]) {
    assert_eq!(circles(files), [[""; 0]; 0]);
}

#[test]
fn finds_files_that_import_each_other() {
    one_circle(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "use super::a::A; pub struct B(Box<A>);"),
        ],
        &["a.rs", "b.rs"],
    );
}

#[test]
fn finds_a_circle_of_three_through_a_re_export() {
    one_circle(
        &[
            ("lib.rs", "mod a; mod api; mod b; mod c; pub use api::*;"),
            ("api.rs", "pub use crate::b::B;"),
            ("a.rs", "pub struct A(crate::B);"),
            ("b.rs", "use crate::c::{self, C as Other}; pub struct B(Other, c::D);"),
            ("c.rs", "use crate::a; pub struct C(Box<a::A>); pub struct D;"),
        ],
        &["a.rs", "b.rs", "c.rs"],
    );
}

#[test]
fn finds_a_parent_and_a_child_that_use_each_other() {
    let parent = "mod child; pub use child::Small; pub struct Big(Small);";
    let files = [("lib.rs", "mod parent;"), ("parent.rs", parent)];
    let child = |text| [&files[..], &[("parent/child.rs", text)]].concat();
    one_circle(
        &child("use super::Big; pub struct Small(Box<Big>);"),
        &["parent.rs", "parent/child.rs"],
    );
    no_circle(&child("pub struct Small;"));
}

#[test]
fn passing_a_name_on_is_no_use_of_it() {
    no_circle(&[
        ("lib.rs", "mod parent;"),
        (
            "parent.rs",
            "mod one; mod two; pub use one::One; pub use two::Two; pub struct Base;",
        ),
        ("parent/one.rs", "use super::{Base, Two}; pub struct One(Base, Two);"),
        ("parent/two.rs", "pub struct Two(super::Base);"),
    ]);
}

#[test]
fn leaves_tests_out() {
    no_circle(&[
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod tests;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        (
            "b.rs",
            "#[cfg(test)] use crate::a::A;
             pub struct B;
             impl B { #[cfg(all(test, unix))] fn a(&self) -> A { A(B) } }
             #[cfg(test)] mod tests { use crate::a::A; #[test] fn t() { A(super::B); } }",
        ),
        ("tests.rs", "use crate::{a::A, b::B}; mod not_there;"),
    ]);
}

#[test]
fn finds_names_wherever_they_are_written() {
    for uses in [
        "fn f() { crate::b::g(); }",
        "fn f() { use crate::b::g; g(); }",
        "fn f() { println!(\"{}\", crate::b::g()); }",
        "fn f(x: &dyn Fn()) where crate::b::B: Sized {}",
        "struct S { #[serde(default = \"crate::b::g\")] x: u8 }",
        "#[error(\"{}\", crate::b::g())] struct S;",
        "use crate::b::*; struct S(B);",
        "use crate::b as other; impl other::B {}",
        "fn f() { crate::b::Made::new(); }",
        "fn f(x: u8) { match x { crate::b::ONE => {} _ => {} } }",
        "mod inner { fn f() { super::super::b::g(); } }",
        "fn f() { b_macro!(); }",
    ] {
        one_circle(
            &[
                ("lib.rs", "#[macro_use] mod b; mod a;"),
                ("a.rs", &format!("pub struct A; {uses}")),
                (
                    "b.rs",
                    "use crate::a::A; #[derive(Makes)] pub struct B(A); pub const ONE: u8 = 1; pub fn g() -> u8 { 1 }
                     #[macro_export] macro_rules! b_macro { () => {} }",
                ),
            ],
            &["a.rs", "b.rs"],
        );
    }
}

#[test]
fn a_variable_is_not_the_function_of_its_name() {
    no_circle(&[
        ("lib.rs", "mod a; pub use a::height;"),
        ("a.rs", "use crate::Tip; pub fn height(tip: &Tip) -> u8 { tip.0 }"),
    ]);
    no_circle(&[
        (
            "lib.rs",
            "mod a; pub use a::height; pub struct Tip(u8); fn f(height: u8) -> u8 { height }",
        ),
        ("a.rs", "use crate::Tip; pub fn height(tip: &Tip) -> u8 { tip.0 }"),
    ]);
}

#[test]
fn follows_modules_to_their_files() {
    one_circle(
        &[
            ("lib.rs", "#[path = \"elsewhere/it.rs\"] mod a; mod b;"),
            ("elsewhere/it.rs", "pub struct A(crate::b::c::C);"),
            ("b/mod.rs", "pub mod c { mod d; pub use d::C; }"),
            ("b/c/d.rs", "pub struct C(Box<crate::a::A>);"),
        ],
        &["b/c/d.rs", "elsewhere/it.rs"],
    );
}

#[test]
fn every_edge_of_a_circle_is_in_one_that_is_printed() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A(crate::b::B, crate::c::C);"),
        ("b.rs", "pub struct B(Box<crate::a::A>, Box<crate::c::C>);"),
        ("c.rs", "pub struct C(Box<crate::a::A>);"),
    ]);
    assert_eq!(
        found,
        [vec!["a.rs", "b.rs"], vec!["a.rs", "c.rs"], vec!["a.rs", "b.rs", "c.rs"]]
    );
}

#[test]
fn the_program_fails_and_shows_the_way_round() {
    let circle = planted(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "use crate::b::B;\n\npub struct A(B);"),
        ("src/b.rs", "pub struct B(\n    Box<crate::a::A>,\n);"),
    ]);
    let (code, text) = run(&circle);
    assert_eq!(code, 1);
    assert_eq!(
        text,
        "src/lib.rs: circles: 1\n\
         circle: src/a.rs -> src/b.rs: crate::b::B (line 1)\n        \
         src/b.rs -> src/a.rs: crate::a::A (line 2)\n\n"
    );
    assert_eq!(
        run(&planted(&[("src/lib.rs", "fn f() {}")])),
        (0, "src/lib.rs: no circle\n".into())
    );
    assert_eq!(run(&planted(&[("src/lib.rs", "mod missing;")])).0, 2);
    assert_eq!(run(&planted(&[("src/lib.rs", "this is no Rust")])).0, 2);
    assert_eq!(run(&planted(&[("other.rs", "")])).0, 2);
}

/// How the program ends for a crate in this folder, and what it prints.
fn run(folder: &TempDir) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_circles"))
        .arg(".")
        .current_dir(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace("./", "");
    (output.status.code().unwrap(), text)
}
