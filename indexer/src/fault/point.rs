//! Named places on the way of a block at which a test lets the process die. In the program itself there is nothing here.
//!
//! A place is worth a name if the one before it and the one behind it leave something different behind: in memory, in
//! the store, or announced.

/// The variable that says where to die: `PLACE#N`, the N-th time the place is reached, from 1.
#[cfg(test)]
pub(crate) const DIE_AT: &str = "SHREWD_DIE_AT";

/// Ends the process at once, as SIGKILL would, if this is the place and the time for it.
#[cfg(test)]
pub(crate) fn reach(place: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };
    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static REACHED: AtomicU32 = AtomicU32::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var(DIE_AT).ok()?;
        let (place, times) = text.split_once('#').unwrap();
        Some((place.to_owned(), times.parse().unwrap()))
    });
    if let Some((wanted, times)) = wanted
        && wanted == place
        && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *times
    {
        // Like a kill it runs no destructor and flushes nothing.
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn reach(_place: &str) {}
