//! The fence: a panic inside a codec is caught and becomes a value. The panic
//! hook of the command line only notes the place, so nothing is printed.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; `None` when it panicked. What it touched may be half changed
/// then, and is to be thrown away.
pub fn run<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_value() {
        let never = || -> u8 { panic!("said on purpose") };
        assert_eq!(run(never), None);
        assert_eq!(run(|| 7), Some(7));
    }
}
