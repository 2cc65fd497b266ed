//! JSON-RPC over HTTP: the methods Metashrew clients know, answered from the index.
//!
//! Handlers translate and nothing more. What they translate to is [`Index`]; the process joins store and guest behind
//! it.

mod batch;
mod body;
mod caller;
mod codes;
mod context;
mod fair;
mod index;
mod lookup;
mod methods;
mod min_height;
mod params;
mod reply;
mod server;
mod views;
mod wire;

pub use self::{
    codes::{NOT_AVAILABLE, OVER_LIMIT, VIEW_FAILED},
    index::{Answered, Index, IndexedBlock, Page, Range, Read, ReadAt, Sizes, Terms, Written},
    server::{Error, router},
};
