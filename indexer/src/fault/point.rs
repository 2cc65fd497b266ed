//! Named points in the processing of a block at which a test can kill the process. Empty in the program itself.
//!
//! A point is worth a name if dying just before it and dying just after it differ: in memory, in the store, or in what
//! was announced.

/// The variable that names the point to die at: `POINT#N`, the N-th time it is reached, from 1.
#[cfg(test)]
const DIE_AT: &str = "SHREWD_DIE_AT";

/// Runs an ignored test of this program as a process that dies at a point, if it reaches it so many times. `variable`
/// says which folder it works in.
#[cfg(test)]
pub(crate) fn run_until(
    test: &str,
    (variable, folder): (&str, &std::path::Path),
    place: &str,
    times: u32,
) -> std::process::ExitStatus {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored"])
        .env(variable, folder)
        .env(DIE_AT, format!("{place}#{times}"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
}

/// Ends the process at once, as SIGKILL would, if this is the point to die at.
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
        // Like SIGKILL, this runs no destructor and flushes nothing.
        std::process::abort();
    }
}

/// Does nothing.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn reach(_place: &str) {}
