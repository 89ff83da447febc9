//! The limits of the machine: file descriptors and threads. A server that promised more clients than it can start
//! threads would fail in the middle of its work. With the smaller number it refuses the client that is one too many,
//! with 503.

use super::speed::MAPPED;
use super::system;
use crate::config::Config;

/// Threads and memory mappings that the process needs for itself.
const SPARE_THREADS: usize = 16;
const SPARE_MAPPINGS: usize = 2048;

/// Two for a thread's stack and its guard page, and two for the small stack on which it would handle an overflow.
const MAPPINGS_OF_A_THREAD: usize = 4;

/// Raises the soft limit of file descriptors, and lowers `max_clients` to the number of threads that the machine has.
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

/// Returns how many more threads the process can start, and what limits it. `read` returns the text of a file. Without
/// these files, as outside Linux, we know no limit.
fn most_threads(max_memory: usize, read: impl Fn(&str) -> Option<String>) -> Option<(usize, &'static str)> {
    let number = |path: &str| read(path)?.trim().parse::<usize>().ok();
    // If a thread cannot map the stack for its overflow, the process ends: `spawn` returns no error for that.
    let mappings = number("/proc/sys/vm/max_map_count").map(|most| {
        let in_use = read("/proc/self/maps").map_or(0, |maps| maps.lines().count());
        let for_messages = max_memory / MAPPED;
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

/// Returns what `pids.max` leaves, for the process's cgroup and for each one above it.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these files.
    fn machine(files: &[(&str, &str)]) -> Option<(usize, &'static str)> {
        let file = |path: &str| Some(files.iter().find(|file| file.0 == path)?.1.to_owned());
        // The limit of the user who runs the test has no file.
        most_threads(MAPPED * 100, file).filter(|(_, name)| *name != "ulimit -u")
    }

    #[test]
    fn unknown_machine_has_no_limit() {
        assert_eq!(machine(&[]), None);
        assert_eq!(machine(&[("/proc/sys/vm/max_map_count", "many\n")]), None);
    }

    #[test]
    fn thread_takes_four_mappings_and_memory_takes_some() {
        let maps = "one\ntwo\n";
        let files = [("/proc/sys/vm/max_map_count", "65530\n"), ("/proc/self/maps", maps)];
        let threads = (65_530 - 2 - 100 - 2048) / 4;
        assert_eq!(machine(&files), Some((threads, "vm.max_map_count")));
        let none = [("/proc/sys/vm/max_map_count", "1000\n")];
        assert_eq!(machine(&none), Some((1, "vm.max_map_count")), "a server for one client is better than none");
    }

    #[test]
    fn smallest_limit_counts_with_some_to_spare() {
        let kernel = [("/proc/sys/kernel/threads-max", "5000\n"), ("/proc/sys/kernel/pid_max", "4000\n")];
        assert_eq!(machine(&kernel), Some((3984, "kernel.threads-max, kernel.pid_max")));
        let group = [
            kernel[0],
            kernel[1],
            ("/proc/self/cgroup", "0::/system.slice/chat.service\n"),
            ("/sys/fs/cgroup/system.slice/chat.service/pids.max", "max\n"),
            ("/sys/fs/cgroup/system.slice/pids.max", "300\n"),
            ("/sys/fs/cgroup/system.slice/pids.current", "84\n"),
            ("/sys/fs/cgroup/pids.max", "1000\n"),
        ];
        assert_eq!(machine(&group), Some((200, "pids.max of the cgroup")));
    }

    #[test]
    fn older_groups_have_their_own_folder() {
        let files = [
            ("/proc/self/cgroup", "9:memory:/x\n8:pids:/docker/1\nnonsense\n"),
            ("/sys/fs/cgroup/pids/docker/1/pids.max", "116\n"),
            ("/sys/fs/cgroup/docker/1/pids.max", "50\n"),
        ];
        assert_eq!(machine(&files), Some((100, "pids.max of the cgroup")));
        assert_eq!(machine(&[("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/pids.max", "66\n")]).unwrap().0, 50);
    }

    #[test]
    fn this_machine_has_threads_for_a_few_clients() {
        let mut config = Config { max_clients: usize::MAX, ..Config::default() };
        prepare(&mut config);
        assert!(config.max_clients > 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn max_clients_is_lowered_to_the_machines_threads() {
        let prepared = |max_clients| {
            let mut config = Config { max_clients, ..Config::default() };
            prepare(&mut config);
            config.max_clients
        };
        assert!(prepared(usize::MAX) < 1 << 30);
        assert_eq!(prepared(1), 1);
        let mappings = read("/proc/sys/vm/max_map_count").and_then(|text| text.trim().parse::<usize>().ok());
        assert!(mappings.is_some_and(|most| most > 1));
        assert_eq!(read("/proc/sys/vm/there/is/no/such/file"), None);
    }
}
