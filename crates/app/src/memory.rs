//! Memory that is free goes back to the operating system, so that whoever looks from outside (an autoscaler, a person) sees
//! what is in use and not what once was.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A task in flight allocates and frees in small pieces on many threads, where the system's allocator took a tenth of
/// the processor time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often a thread gives back at most. What is taken back from the system later costs a page fault for each page, which
/// is nothing every ten seconds.
const EVERY: Duration = Duration::from_secs(10);

thread_local! {
    static GIVEN_BACK: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Gives back what this thread holds and does not use, unless it did so just now. To be called by each thread that
/// allocates, where it has nothing to do: a thread's memory is its own, and mimalloc looks through it only while the thread
/// allocates more, which after a load it no longer does.
pub fn give_back() {
    let now = Instant::now();
    if GIVEN_BACK.get().is_none_or(|last| now.duration_since(last) >= EVERY) {
        GIVEN_BACK.set(Some(now));
        collect();
    }
}

#[allow(unsafe_code)]
fn collect() {
    // SAFETY: it takes no pointers and may be called by any thread at any time; blocks that are in use are not touched.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
