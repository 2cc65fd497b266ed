//! Several editions of one module, as a team releases them.

use anyhow::Result;

use crate::cluster::Cluster;

const PLAIN: &str = include_str!("../guests/plain.wat");
/// The value that is stored: the height.
const VALUE: &str = "(i32.load (i32.const 0x10000)))\n    (call $flush";

/// An edition of the guest `plain`: it stores the height plus as many millions as its number under "height".
///
/// # Errors
/// If the text cannot be compiled.
pub fn edition(number: u32) -> Result<Vec<u8>> {
    let text = format!(
        "(i32.add (i32.load (i32.const 0x10000)) (i32.const {})))\n    (call $flush",
        number * 1_000_000
    );
    let edited = PLAIN.replace(VALUE, &text);
    anyhow::ensure!(edited != PLAIN, "the guest plain does not store the height as it did");
    Ok(wat::parse_str(edited)?)
}

/// Another module that does what an edition does.
///
/// # Errors
/// If the text cannot be compiled.
pub fn twin_of_plain() -> Result<Vec<u8>> {
    Ok(wat::parse_str(PLAIN.replace(
        "(memory (export",
        "(global i32 (i32.const 7))\n  (memory (export",
    ))?)
}

/// What the view `get` of an edition answers for the key "height".
#[must_use]
pub fn stored(number: u32, height: u32) -> Vec<u8> {
    (height + number * 1_000_000).to_le_bytes().to_vec()
}

/// The module as it stands, the edition 0.
///
/// # Errors
/// If it was not compiled.
pub fn plain(cluster: &Cluster) -> Result<Vec<u8>> {
    cluster.guest("plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editions_are_different_modules() {
        let modules = [
            edition(1).unwrap(),
            edition(2).unwrap(),
            twin_of_plain().unwrap(),
            wat::parse_str(PLAIN).unwrap(),
        ];
        for (i, module) in modules.iter().enumerate() {
            assert!(!modules[..i].contains(module));
        }
    }
}
