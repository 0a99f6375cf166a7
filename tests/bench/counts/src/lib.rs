//! How often the calling thread allocates, and how much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counted.
pub struct Counting;

/// What was allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// How often: growing counts as well.
    pub count: u64,
    /// How many bytes: of what grows, those it grew by.
    pub bytes: u64,
}

thread_local! {
    static TAKEN: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

/// What the thread allocates in the meantime.
pub fn during<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
    let before = TAKEN.get();
    let result = work();
    let after = TAKEN.get();
    let taken = Allocations {
        count: after.count - before.count,
        bytes: after.bytes - before.bytes,
    };
    (result, taken)
}

fn count(bytes: usize) {
    // A thread that ends has no counts any more.
    let _ = TAKEN.try_with(|taken| {
        let Allocations {
            count,
            bytes: before,
        } = taken.get();
        taken.set(Allocations {
            count: count + 1,
            bytes: before + bytes as u64,
        });
    });
}

// SAFETY: all is passed on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}
