//! (pure) How much memory containers should have: what was seen of them, and what follows from it.

mod headroom;
mod recommendation;
mod resizes;
mod seen;
mod sizes;

pub use recommendation::{Bounds, recommend};
pub use resizes::{Resize, ResizeRefusal, resizes, unfit};
pub use seen::Seen;
pub use sizes::{Memories, store_bytes};
