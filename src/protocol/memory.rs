//! Memory for what may become megabytes and is soon gone: a large message, a long backlog. The process is not to keep it.

/// Up to here memory doubles, as a vector's does by itself.
pub(crate) const LONG: usize = 256 * 1024;

/// Address space for what is longer: only the pages that are written to become memory. An allocator gives memory back
/// from the end of its heaps only, so one small block behind a large message, still in use, would keep all of it: after
/// five backlogs of 16 MiB, 64 MiB stayed in half of the runs. For a block above 32 MiB, though, glibc asks the system
/// separately, and hands it back as soon as it is freed. Where addresses are few (32 bits) or count as memory (Windows)
/// nothing is reserved.
pub(crate) const RESERVE: usize = if cfg!(all(unix, target_pointer_width = "64")) { 33 * 1024 * 1024 } else { LONG };

/// Gives `bytes` memory for `length` of them, and for some more, if it can be had.
pub(crate) fn make_room(bytes: &mut Vec<u8>, length: usize) {
    if length <= bytes.capacity() {
        return;
    }
    let doubled = length.max(bytes.capacity() * 2);
    let capacity = if length <= LONG { doubled.min(LONG) } else { doubled.max(RESERVE) };
    // Without so much address space it grows when the bytes come, as any other vector does.
    let _ = bytes.try_reserve_exact(capacity - bytes.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The capacities of a vector that grows by `step` bytes at a time.
    fn capacities(step: usize, length: usize) -> Vec<usize> {
        let mut bytes = Vec::new();
        let mut capacities = Vec::new();
        while bytes.len() < length {
            let length = bytes.len() + step;
            make_room(&mut bytes, length);
            bytes.resize(length, 0);
            capacities.push(bytes.capacity());
        }
        capacities.dedup();
        capacities
    }

    #[test]
    fn what_is_short_doubles() {
        assert_eq!(capacities(1, 40), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(capacities(1000, 4500), [1000, 2000, 4000, 8000]);
    }

    #[test]
    fn what_is_not_long_yet_has_no_more_than_that() {
        assert_eq!(LONG, 262_144);
        assert_eq!(capacities(50_000, 250_000), [50_000, 100_000, 200_000, LONG]);
        assert_eq!(capacities(LONG, LONG), [LONG]);
    }

    #[test]
    fn what_is_long_has_memory_that_no_heap_holds_and_is_not_moved() {
        if cfg!(all(unix, target_pointer_width = "64")) {
            let capacities = capacities(LONG / 2 + 1, 3 << 20);
            assert_eq!(capacities, [LONG / 2 + 1, 33 << 20], "glibc may take 32 MiB from a heap");
        }
    }

    #[test]
    fn what_is_still_longer_doubles() {
        let length = 40 << 20;
        let mut bytes = Vec::with_capacity(length);
        make_room(&mut bytes, length + 1);
        assert_eq!(bytes.capacity(), 2 * length);
    }

    #[test]
    fn room_that_is_there_is_enough() {
        let mut bytes = Vec::with_capacity(1000);
        make_room(&mut bytes, 1000);
        assert_eq!(bytes.capacity(), 1000);
    }
}
