//! (pure) What is known about one Indexer's objects and pods at one moment, as plain values.
//!
//! [`crate::observe`] and [`crate::sampler`] collect them; everything that decides reads them.

pub mod change;
mod consistency;
mod lineage;
mod long_run;
mod observed;
mod ownership;
mod pod;
mod pod_memory;
mod sample;
mod template;
mod volume_claim;

pub use consistency::{Consistency, Difference, compare};
pub use lineage::{Built, Comparable, comparable};
pub use long_run::{long_run, long_run_in_words};
pub use observed::{Observed, Stranger};
pub use ownership::{Claim, Ownership};
pub use pod::{ObservedPod, strip};
pub use pod_memory::{ContainerMemory, ResizeProblem};
pub use sample::{Sample, Target};
pub use template::{has_same_template, is_outdated, is_template_unknown, newest_template, resized_template};
pub use volume_claim::{Size, VolumeClaim};
