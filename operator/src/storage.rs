//! (pure) How large the volumes should be: what the spec says, and what there is already, since no volume can become
//! smaller.

mod growths;
mod raises;
mod refusal;
mod sizes;

pub use growths::{Capacities, Growth, growths};
pub use raises::{Raise, raises};
pub use refusal::{Obstacle, Refusal};
pub use sizes::{Sizes, TooLarge};
