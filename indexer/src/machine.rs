//! What the process was given: its control groups, and how much memory they leave it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crds::ProcessMemory;

/// Larger values of a limit of version 1 mean that there is none.
const NO_LIMIT: u64 = 1 << 60;

/// A control group of this process.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    mount_point: PathBuf,
    folder: PathBuf,
}

impl Group {
    /// The one of version 2; none where that is not mounted.
    #[must_use]
    pub fn unified() -> Option<Self> {
        let (cgroup, mounts) = read_own();
        own_group(&cgroup, &mounts, None)
    }

    /// Values of a file of the group, and of those it is in, the innermost first.
    pub fn values(&self, file: &'static str) -> impl Iterator<Item = String> {
        self.folder
            .ancestors()
            .take_while(|folder| folder.starts_with(&self.mount_point))
            .filter_map(move |folder| fs::read_to_string(folder.join(file)).ok())
    }
}

/// What memory the process has: the least limit of its control groups of either version, else the machine's.
#[must_use]
pub fn memory() -> ProcessMemory {
    let (cgroup, mounts) = read_own();
    let unified = own_group(&cgroup, &mounts, None);
    let memory = own_group(&cgroup, &mounts, Some("memory"));
    let limits = [(unified, "memory.max"), (memory, "memory.limit_in_bytes")];
    let least = limits
        .iter()
        .flat_map(|(group, file)| group.iter().flat_map(|group| group.values(file)))
        .filter_map(|value| limit(&value))
        .min();
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    match (least, machine) {
        (Some(limit), machine) if machine.is_none_or(|machine| limit < machine) => ProcessMemory::Limit(limit),
        (_, machine) => ProcessMemory::Machine(machine.unwrap_or(0)),
    }
}

fn read_own() -> (String, String) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    (read("/proc/self/cgroup"), read("/proc/self/mountinfo"))
}

/// A limit's bytes; none if the text says that there is none.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT)
}

/// A machine's memory, of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Where the groups of a controller of version 1 are mounted, or those of version 2, and the folder of the one this
/// process is in.
fn own_group(cgroup: &str, mountinfo: &str, controller: Option<&str>) -> Option<Group> {
    let path = cgroup.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_wanted = match controller {
            None => controllers.is_empty(),
            Some(wanted) => controllers.split(',').any(|name| name == wanted),
        };
        is_wanted.then_some(path)
    })?;
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut about = after.split(' ');
        let (kind, options) = (about.next()?, about.nth(1)?);
        let is_wanted = match controller {
            None => kind == "cgroup2",
            Some(wanted) => kind == "cgroup" && options.split(',').any(|option| option == wanted),
        };
        if !is_wanted {
            return None;
        }
        let mut fields = before.split(' ').skip(3);
        let (root, mount_point) = (fields.next()?, PathBuf::from(fields.next()?));
        // A group beyond what is mounted cannot be looked at.
        let below = Path::new(path).strip_prefix(root).ok()?;
        Some(Group {
            folder: mount_point.join(below),
            mount_point,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "25 24 0:22 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755\n\
                          31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                          32 25 0:28 ROOT /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_own_group_is_found_where_it_is_mounted() {
        let own = |group: &str, root: &str| {
            let cgroup = format!("4:memory:/a\n0::{group}\n");
            own_group(&cgroup, &MOUNTS.replace("ROOT", root), None).map(|group| group.folder)
        };
        assert_eq!(own("/", "/"), Some("/sys/fs/cgroup/unified/".into()));
        assert_eq!(own("/a/b", "/"), Some("/sys/fs/cgroup/unified/a/b".into()));
        assert_eq!(own("/pod/b", "/pod"), Some("/sys/fs/cgroup/unified/b".into()));
        assert_eq!(own("/other", "/pod"), None);
        assert_eq!(own_group("4:memory:/a\n", MOUNTS, None), None, "version 1 only");
        let memory = own_group("5:cpu,memory:/a\n", MOUNTS, Some("memory")).map(|group| group.folder);
        assert_eq!(memory, Some("/sys/fs/cgroup/memory/a".into()));
    }

    #[test]
    fn limits_and_memory_are_read() {
        for (text, bytes) in [
            ("6442450944\n", Some(6 << 30)),
            ("max\n", None),
            ("9223372036854771712\n", None),
        ] {
            assert_eq!(limit(text), bytes, "{text}");
        }
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       24576 kB\n"), Some(24 << 20));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert!(matches!(memory(), ProcessMemory::Limit(bytes) | ProcessMemory::Machine(bytes) if bytes > 1 << 20));
    }
}
