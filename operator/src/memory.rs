//! (pure) How much memory containers should have: what was seen of them, and what follows from it.

mod recommendation;
mod seen;

pub use recommendation::{Bounds, recommend};
pub use seen::Seen;
