//! How much memory a piece of work takes at most: an allocator that counts, per thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes taken and not given back since the count began, and the most that this ever was.
    static COUNT: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(change: isize) {
    // A thread that is ending has no counter any more, and nothing measures it.
    let _ = COUNT.try_with(|cell| {
        let (live, most) = cell.get();
        let live = live + change;
        cell.set((live, most.max(live)));
    });
}

// SAFETY: everything is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may exist side by side while the contents move.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
}

/// What `work` returns, and the most bytes that it held at a time on this thread.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    COUNT.set((0, 0));
    let result = work();
    (result, COUNT.get().1.max(0) as usize)
}

#[test]
fn the_peak_is_counted() {
    let (_, peak) = peak_of(|| {
        drop(vec![0_u8; 5000]);
        vec![0_u8; 3000]
    });
    assert!((5000..6000).contains(&peak), "{peak}");
}
