//! A memory control group for a process of a test, below the one the test is in; of version 1 or 2, as the machine has.
//! Nothing outside it is changed, and it is removed when it is dropped.
#![allow(dead_code)] // Each test program compiles this for itself and uses a part.
#![allow(clippy::unwrap_used)] // Tests, though the lints do not see it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// How long an empty group may take to become removable.
const REMOVAL: Duration = Duration::from_secs(10);

/// A group without processes.
pub(crate) struct MemoryGroup {
    folder: PathBuf,
    is_v2: bool,
}

impl MemoryGroup {
    /// A group whose processes may have so many bytes; what else they may is as the machine has it.
    ///
    /// # Errors
    /// Why this machine does not let us, in one line.
    pub(crate) fn new(name: &str, limit_bytes: u64) -> Result<Self, String> {
        let (parent, is_v2) = own_group().ok_or("no control group for memory is mounted")?;
        let folder = parent.join(format!("shrewd-test-{name}-{}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| format!("no group below {}: {error}", parent.display()))?;
        let group = Self { folder, is_v2 };
        let limit = if is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
        // Of version 2 a group has no such file where the one above it does not pass the controller on.
        fs::write(group.folder.join(limit), limit_bytes.to_string())
            .map_err(|error| format!("no {limit} in {}: {error}", group.folder.display()))?;
        Ok(group)
    }

    /// A command that moves into the group and becomes the program that is added as arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("sh");
        let join = r#"echo $$ >"$GROUP"/cgroup.procs && exec "$0" "$@""#;
        command.args(["-c", join]).env("GROUP", &self.folder);
        command
    }

    /// Processes that the kernel killed because the group's memory ran out.
    pub(crate) fn oom_kills(&self) -> u64 {
        let file = if self.is_v2 {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        let text = fs::read_to_string(self.folder.join(file)).unwrap();
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills
            .unwrap_or_else(|| panic!("{file} has no oom_kill: {text}"))
            .parse()
            .unwrap()
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + REMOVAL;
        // Its last process is gone, but perhaps not yet reaped everywhere.
        while let Err(error) = fs::remove_dir(&self.folder) {
            if error.kind() == io::ErrorKind::NotFound || Instant::now() > deadline {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The folder of the memory group of this process, and whether it is of version 2.
fn own_group() -> Option<(PathBuf, bool)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let of = |is_ours: &dyn Fn(&str) -> bool| {
        groups
            .lines()
            .find(|line| is_ours(line.split(':').nth(1).unwrap_or("")))
    };
    let v1 = of(&|controllers| controllers.split(',').any(|controller| controller == "memory"));
    let (line, is_v2) = v1
        .map(|line| (line, false))
        .or_else(|| Some((of(&str::is_empty)?, true)))?;
    let path = line.splitn(3, ':').nth(2)?;
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut kind = after.split(' ');
        let fits = match kind.next()? {
            "cgroup2" => is_v2,
            "cgroup" => !is_v2 && kind.nth(1)?.split(',').any(|option| option == "memory"),
            _ => false,
        };
        fits.then_some(before)
    })?;
    let mut fields = mount.split(' ').skip(3);
    let (root, mount_point) = (fields.next()?, Path::new(fields.next()?));
    Some((mount_point.join(Path::new(path).strip_prefix(root).ok()?), is_v2))
}

/// Says on the terminal that a test could not run here, and why: no such test passes unseen.
pub(crate) fn not_run(test: &str, why: &str) {
    use std::io::Write as _;
    // Written past the capture of passed tests.
    let _ = writeln!(io::stderr(), "\nNOT RUN: {test}: {why}");
}
