//! How much memory the checks and your server may use together. The stacks of threads count, so it bounds them too.

/// A process of checks needs some hundred MiB.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn set() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const MEMORY: u64 = 1 << 30;
    // Where it cannot be set, the time is the only limit.
    let _ =
        getrlimit(Resource::RLIMIT_DATA).and_then(|(_, most)| setrlimit(Resource::RLIMIT_DATA, MEMORY.min(most), most));
}

/// Other systems of this family take the limit and do not keep it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn set() {}
