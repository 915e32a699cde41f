//! The fence: a panic inside a codec is caught, and the panic hook can ask
//! whether to keep silent about it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static FENCED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a codec, whose panics are caught and reported
/// as a bad access unit. A panic hook prints nothing then.
pub fn is_fenced() -> bool {
    FENCED.get()
}

/// Runs `work`; `None` when it panicked. What it touched may be half changed
/// then, and is to be thrown away.
pub fn run<T>(work: impl FnOnce() -> T) -> Option<T> {
    let outer = FENCED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    FENCED.set(outer);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_value_and_the_hook_can_tell() {
        assert!(!is_fenced());
        assert_eq!(run(|| assert!(!is_fenced(), "said on purpose")), None);
        assert_eq!(run(is_fenced), Some(true));
        assert!(!is_fenced());
    }
}
