//! The figures of Linux about a process, from `/proc`.

use anyhow::{Context as _, Result};
use std::{fmt, fs};

/// The memory, threads and descriptors of a process at one moment.
#[derive(Clone, Copy)]
pub struct Holdings {
    pub resident_kib: u64,
    pub threads: u64,
    pub descriptors: u64,
}

impl Holdings {
    pub fn of(process: u32) -> Result<Holdings> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).context("no /proc: this needs Linux")?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
            anyhow::Ok(line.trim().trim_end_matches(" kB").parse()?)
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.count() as u64;
        Ok(Holdings { resident_kib: number("VmRSS:")?, threads: number("Threads:")?, descriptors })
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} KiB  {:>3} threads  {:>3} descriptors", self.resident_kib, self.threads, self.descriptors)
    }
}
