//! A disk of a chosen size.

use std::{path::Path, process::Command};

use tempfile::TempDir;

/// A file system in memory, mounted for as long as this lives.
pub(crate) struct Tmpfs {
    dir: TempDir,
}

impl Tmpfs {
    /// Mounts one with room for so many KiB.
    pub(crate) fn of_kib(kib: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        mount(&format!("size={kib}k"), dir.path());
        Self { dir }
    }

    /// Gives it another size; what is in it stays.
    pub(crate) fn resize_kib(&self, kib: u32) {
        mount(&format!("remount,size={kib}k"), self.dir.path());
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: whatever is still open goes with the process that has it open.
        let _ = Command::new("umount").arg("--lazy").arg(self.dir.path()).status();
    }
}

fn mount(options: &str, dir: &Path) {
    let output = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(dir)
        .output()
        .expect("start mount");
    assert!(
        output.status.success(),
        "this test needs a small disk and may not mount one; run it as root, or in a namespace of its own by \
         `unshare --map-root-user --mount`: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
