//! Finds files of one crate that import each other in a circle, from the sources alone.
//!
//! ```text
//!   source ─► tree ─► edges ─► graph
//!               ▲       │
//!             names  resolve      what a path means, through imports and re-exports
//! ```
//!
//! A file depends on the file that defines a name it uses. It does not depend on what it only declares (`mod x;`) or
//! passes on (`pub use x::Y`). Code for tests is left out.

mod cfg;
mod collect;
mod edges;
mod graph;
mod names;
mod resolve;
mod source;
mod tokens;
mod tree;

use std::path::Path;

pub use edges::{Edge, Reason};
pub use graph::Circle;
pub use source::Error;

/// The circles of the crate whose root file this is, the shortest ones through each file concerned.
///
/// # Errors
/// When a source file is missing, unreadable or not Rust.
pub fn find(root: &Path) -> Result<Vec<Circle>, Error> {
    let tree = tree::Tree::load(root)?;
    Ok(graph::circles(&edges::edges(&tree)))
}
