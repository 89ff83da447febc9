//! A page of stack for each client: a function that is rarely called, or whose stack another one can use after it, is
//! not inlined into the functions that every client's thread is in.

/// Calls `function` with a stack frame of its own. Inlined, its frame would add to the caller's, and only what a thread
/// has touched of its stack takes memory, in pages of 4 KiB.
#[inline(never)]
pub(in crate::server) fn out_of_line<T>(function: impl FnOnce() -> T) -> T {
    function()
}
