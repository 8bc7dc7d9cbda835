//! How fast the faked clock runs, for this process and the service that it started.
//!
//! libfaketime reads `@START xFACTOR` from a file at every look at the clock. With one shared start
//! (`FAKETIME_DONT_RESET`) the time is START + FACTOR × what really passed, the same in every process.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::clock::Clock;

/// While nothing is due.
const FAST: f64 = 3600.0;
/// While letters go out: a second of network waits is 30 here.
pub(super) const SLOW: f64 = 30.0;
/// The pace is chosen anew so often, in real time.
const STEP: Duration = Duration::from_millis(50);
/// From reading the clock to all having seen the new pace, in real time; the clock must not go back.
const MARGIN: Duration = Duration::from_millis(10);

pub(super) struct Pace {
    file: PathBuf,
    start: DateTime<Utc>,
    factor: f64,
}

impl Pace {
    /// The clock as `under_a_faked_clock` started it: `start`, at its natural pace.
    pub(super) fn from(start: &str) -> Self {
        let file = std::env::var_os("FAKETIME_TIMESTAMP_FILE").expect("a faked clock").into();
        Self { file, start: start.parse().unwrap(), factor: 1.0 }
    }

    /// From now on at `factor`, going on at `from`.
    fn set(&mut self, from: DateTime<Utc>, factor: f64) {
        let really = seconds(Clock::System.now() - self.start) / self.factor;
        let start = from - delta(really * factor) + delta(MARGIN.as_secs_f64() * self.factor.max(factor));
        self.start = DateTime::from_timestamp(start.timestamp() + 1, 0).unwrap();
        self.factor = factor;
        let next = self.file.with_extension("next");
        std::fs::write(&next, format!("@{} x{factor:.3}", self.start.format("%Y-%m-%d %H:%M:%S"))).unwrap();
        std::fs::rename(next, &self.file).unwrap();
    }

    /// Over the days between two nights at once.
    pub(super) fn jump(&mut self, to: DateTime<Utc>) {
        assert!(to > Clock::System.now(), "{to} is over");
        self.set(to, SLOW);
    }

    /// Fast, then ever slower: at `SLOW` a little before `until`, also on a busy machine.
    pub(super) async fn run_until(&mut self, until: DateTime<Utc>) {
        loop {
            let left = seconds(until - Clock::System.now());
            if left <= 0.0 {
                return;
            }
            let factor = (left / 0.4).clamp(SLOW, FAST);
            if (factor - self.factor).abs() > self.factor / 10.0 {
                self.set(Clock::System.now(), factor);
            }
            tokio::time::sleep(STEP.mul_f64(self.factor)).await;
        }
    }

    /// At `SLOW` until it came, for at most `most`.
    pub(super) async fn wait_for(&mut self, what: &str, most: TimeDelta, done: impl Fn() -> bool) {
        self.set(Clock::System.now(), SLOW);
        let until = Clock::System.now() + most;
        while !done() {
            assert!(Clock::System.now() < until, "{what} did not come within {most}");
            tokio::time::sleep(STEP.mul_f64(SLOW)).await;
        }
    }
}

fn seconds(span: TimeDelta) -> f64 {
    span.as_seconds_f64()
}

fn delta(seconds: f64) -> TimeDelta {
    TimeDelta::from_std(Duration::from_secs_f64(seconds)).unwrap()
}
