//! What our own process costs, as the kernel counts it.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Memory and threads of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// The most memory it ever had resident, in bytes (`VmHWM`).
    pub peak_rss: u64,
    /// Its threads now.
    pub threads: u64,
}

impl Size {
    /// As `/proc/self/status` says; zeros where there is none.
    pub fn now() -> Self {
        Self::of(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn of(status: &str) -> Self {
        let number = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            let digits = value.and_then(|value| value.split_whitespace().next());
            digits
                .and_then(|digits| digits.parse::<u64>().ok())
                .unwrap_or(0)
        };
        Self {
            peak_rss: number("VmHWM:").saturating_mul(1024),
            threads: number("Threads:"),
        }
    }
}

/// Processor time of all threads, user and system.
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// When this process began. The processor time it has used when `main` begins
/// is close to the time since it was started: the loader hardly ever waits.
pub fn began() -> Instant {
    let now = Instant::now();
    now.checked_sub(cpu()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_threads_are_read_from_the_status_of_the_process() {
        let status = "Name:\tkithara\nVmPeak:\t  9999 kB\nVmHWM:\t    1234 kB\nThreads:\t4\n";
        let want = Size {
            peak_rss: 1234 * 1024,
            threads: 4,
        };
        assert_eq!(Size::of(status), want);
        assert_eq!(Size::of("nothing of that"), Size::default());
    }

    #[test]
    fn this_process_has_memory_threads_and_a_past() {
        let size = Size::now();
        assert!(size.peak_rss > 0 && size.threads > 0);
        assert!(began() <= Instant::now());
    }
}
