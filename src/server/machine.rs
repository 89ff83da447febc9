//! What the machine allows: file descriptors and threads. A server that promises more clients than there can be threads is
//! better off with the smaller number: it refuses the client that is one too many, with 503, and nothing fails.

use super::system;
use crate::config::Config;
use crate::protocol::memory::LONG;

/// Threads and memory mappings that the process needs for itself.
const SPARE_THREADS: usize = 16;
const SPARE_MAPPINGS: usize = 2048;

/// Two for a thread's stack and its guard page, and two for the small stack on which it would handle an overflow.
const MAPPINGS_OF_A_THREAD: usize = 4;

/// Raises the soft limit of descriptors, and lowers `max_clients` to the number of threads that can be had.
pub(super) fn prepare(config: &mut Config) {
    if let Err(error) = system::raise_descriptor_limit() {
        log::debug!("the limit of file descriptors stays as it is: {error}");
    }
    let Some((threads, limit)) = most_threads(config.max_memory, read) else { return };
    if threads < config.max_clients {
        log::warn!("at most {threads} clients, not {}: this machine has no more threads ({limit})", config.max_clients);
        config.max_clients = threads;
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// How many threads more the process may start, and what limits it. `read` gives the text of a file; where there is none,
/// as outside of Linux, there is no limit that we know.
fn most_threads(max_memory: usize, read: impl Fn(&str) -> Option<String>) -> Option<(usize, &'static str)> {
    let number = |path: &str| read(path)?.trim().parse::<usize>().ok();
    // A thread that cannot map the stack for its overflow ends the process, and no `spawn` returns an error.
    let mappings = number("/proc/sys/vm/max_map_count").map(|most| {
        let in_use = read("/proc/self/maps").map_or(0, |maps| maps.lines().count());
        let for_messages = max_memory / LONG;
        most.saturating_sub(in_use + for_messages + SPARE_MAPPINGS) / MAPPINGS_OF_A_THREAD
    });
    let system = number("/proc/sys/kernel/threads-max").min(number("/proc/sys/kernel/pid_max"));
    let of_group = pid_limits(&read).into_iter().min();
    let spare = |most: usize| most.saturating_sub(SPARE_THREADS);
    [
        (mappings, "vm.max_map_count"),
        (system.map(spare), "kernel.threads-max, kernel.pid_max"),
        (of_group.map(spare), "pids.max of the cgroup"),
        (system::process_limit().map(spare), "ulimit -u"),
    ]
    .into_iter()
    .filter_map(|(most, name)| Some((most?.max(1), name)))
    .min()
}

/// What `pids.max` leaves, of the process's cgroup and of each one above it.
fn pid_limits(read: &impl Fn(&str) -> Option<String>) -> Vec<usize> {
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let root = match controllers {
            "" => "/sys/fs/cgroup",
            "pids" => "/sys/fs/cgroup/pids",
            _ => continue,
        };
        let mut group = format!("{root}{}", path.trim_end_matches('/'));
        while group.len() >= root.len() {
            let number = |name: &str| read(&format!("{group}/{name}"))?.trim().parse::<usize>().ok();
            if let Some(most) = number("pids.max") {
                limits.push(most.saturating_sub(number("pids.current").unwrap_or(0)));
            }
            group.truncate(group.rfind('/').unwrap_or(0));
        }
    }
    limits
}
