//! Prints the custom resource definition as YAML: `cargo run -p crds --bin crdgen`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    std::io::stdout().write_all(serde_yaml::to_string(&crds::crd())?.as_bytes())?;
    Ok(())
}
