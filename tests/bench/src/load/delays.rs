//! Counts many delays in little memory, in classes that are 3 % wide.

use std::time::Duration;

/// The number of classes between a power of two and the next.
const STEPS: usize = 32;

pub struct Delays {
    /// The first 64 classes are one nanosecond wide, and each group of 32 after them is twice as wide as the one
    /// before.
    counts: Vec<u64>,
    total: u64,
}

impl Delays {
    pub fn new() -> Delays {
        Delays { counts: vec![0; 60 * STEPS], total: 0 }
    }

    pub fn add(&mut self, delay: Duration) {
        let nanoseconds = delay.as_nanos() as u64;
        // The bits that are shifted out are less than one class. The rest is between 32 and 63, or less if nothing is
        // shifted.
        let shift = (nanoseconds | 1).ilog2().saturating_sub(STEPS.ilog2());
        self.counts[shift as usize * STEPS + (nanoseconds >> shift) as usize] += 1;
        self.total += 1;
    }

    /// Returns the delay that `percent` percent of all delays do not exceed.
    pub fn percentile(&self, percent: u64) -> Duration {
        let mut left = (self.total * percent).div_ceil(100);
        for (index, count) in self.counts.iter().enumerate() {
            if left <= *count {
                let shift = (index / STEPS).saturating_sub(1);
                return Duration::from_nanos(((index - shift * STEPS) as u64) << shift);
            }
            left -= count;
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_step() {
        let mut delays = Delays::new();
        (1..=1000).for_each(|millis| delays.add(Duration::from_millis(millis)));
        for (percent, expected) in [(1, 10.0), (50, 500.0), (99, 990.0), (100, 1000.0)] {
            let millis = delays.percentile(percent).as_secs_f64() * 1000.0;
            assert!((expected * 0.96..=expected).contains(&millis), "{percent} %: {millis}");
        }
    }

    #[test]
    fn every_size_has_its_place() {
        for nanoseconds in [0, 1, 31, 32, 63, 64, 65, u64::MAX] {
            let mut delays = Delays::new();
            delays.add(Duration::from_nanos(nanoseconds));
            let found = delays.percentile(50).as_nanos() as u64;
            assert!(found <= nanoseconds && nanoseconds - found <= found / 32, "{nanoseconds}: {found}");
        }
    }
}
