//! What takes several steps, one by one, and the death of the process between them. Blocks of rows and files are small
//! here.

mod crash;
#[allow(dead_code, unused_imports)] // The tests of the store from outside use all of it.
#[path = "../../tests/store/fixture.rs"]
mod fixture;
#[allow(dead_code)] // As above.
#[path = "../../tests/store/format_1.rs"]
mod format_1;
mod merges;
