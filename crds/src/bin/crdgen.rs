//! Prints the custom resource definition as YAML: `cargo run -p crds --bin crdgen`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    std::io::stdout().write_all(crds::crd_yaml()?.as_bytes())?;
    Ok(())
}
