//! "No memory for what has only been announced": counts the bytes that a decoder asks the allocator for.

mod support;

use plainsocket::protocol::decoder::MessageDecoder;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{BINARY, TEXT};

struct Counting;

static ASKED_FOR: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED_FOR.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// This must be the only test of the file, because the memory of others would be counted too.
#[test]
fn memory_grows_with_received_not_announced_bytes() {
    const LIMIT: usize = 1 << 30;
    for first in [TEXT, BINARY] {
        let mut decoder = MessageDecoder::new(LIMIT);
        let wire = [&[first, 0xFF][..], &(LIMIT as u64).to_be_bytes(), &[0; 4], b"some"].concat();
        let before = ASKED_FOR.load(Ordering::Relaxed);
        assert_eq!(decoder.decode(&wire), Ok((wire.len(), None)));
        let announced = ASKED_FOR.load(Ordering::Relaxed) - before;
        assert!(announced < 1024, "{announced} bytes for four that have arrived");

        let portion = [b'x'; 100_000];
        let before = ASKED_FOR.load(Ordering::Relaxed);
        assert_eq!(decoder.decode(&portion), Ok((100_000, None)));
        let arrived = ASKED_FOR.load(Ordering::Relaxed) - before;
        assert!((100_000..=400_000).contains(&arrived), "{arrived} bytes for 100,000 that have arrived");

        let before = ASKED_FOR.load(Ordering::Relaxed);
        for _ in 0..30 {
            assert_eq!(decoder.decode(&portion), Ok((100_000, None)));
        }
        let arrived = ASKED_FOR.load(Ordering::Relaxed) - before;
        assert!(((3 << 20)..=(9 << 20)).contains(&arrived), "{arrived} bytes for 3 MB more: a vector doubles");
    }
}
