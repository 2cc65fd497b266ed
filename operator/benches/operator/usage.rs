//! What a process takes, as `/proc` has it.

use std::{fs, time::Duration};

/// At one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) resident_mib: f64,
    /// The most it was since the process started.
    pub(crate) peak_mib: f64,
    pub(crate) threads: f64,
    /// Since the process started, of all its threads, in user space and in the kernel.
    pub(crate) processor: Duration,
}

impl Usage {
    pub(crate) fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<f64>().unwrap()
        };
        // The name in parentheses may contain anything; utime and stime are the 14th and the 15th field.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum();
        let per_second = f64::from(u32::try_from(rustix::param::clock_ticks_per_second()).unwrap());
        Self {
            resident_mib: field("VmRSS:") / 1024.0,
            peak_mib: field("VmHWM:") / 1024.0,
            threads: field("Threads:"),
            processor: Duration::from_secs_f64(ticks / per_second),
        }
    }
}
