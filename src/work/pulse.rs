//! The pulse of the service: whether its loops move.
//!
//! Three loops must advance: intake (the scheduler calls the feeds, and each answers or is reading),
//! the sender (ticks, and the steps of their attempts) and upkeep (the heartbeat is written, zones and
//! certificates are looked after). Real time, which no clock change moves and which stands still
//! while the machine sleeps. Graph, mail and lateness have no part in it: a service that waits for
//! Microsoft is alive, and killing it would mend nothing.
//!
//! `/healthz`, `/livez`, `firstpass health` and systemd's watchdog ask here; `/livez` and the watchdog not
//! for the state: a disk that is full is not mended by a restart, which takes letters along. What counts as standing still
//! is in [`Limits`](crate::config::Limits).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// A loop that must advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loop {
    /// The scheduler calls, the feeds answer.
    Intake,
    /// What is due is served.
    Sender,
    /// The sign of life is written, zones and certificates are looked after.
    Upkeep,
}

impl Loop {
    const ALL: [Self; 3] = [Self::Intake, Self::Sender, Self::Upkeep];

    fn place(self) -> usize {
        match self {
            Self::Intake => 0,
            Self::Sender => 1,
            Self::Upkeep => 2,
        }
    }

    /// For sentences.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Sender => "the sender",
            Self::Upkeep => "upkeep",
        }
    }
}

/// When each loop last advanced.
#[derive(Debug)]
pub struct Pulse {
    /// A loop that did not advance for so long hangs.
    hung: Duration,
    /// A state that refused us for so long is gone.
    away: Duration,
    beats: Mutex<Beats>,
}

/// `None` before the service began: a command that ticks has no loops.
#[derive(Debug, Default)]
struct Beats {
    loops: [Option<Instant>; 3],
    refused: Option<Instant>,
}

impl Pulse {
    /// Of a worker that is no service yet: nothing is expected to move.
    pub fn new(hung: Duration, away: Duration) -> Self {
        Self { hung, away, beats: Mutex::default() }
    }

    /// From here on all loops are expected to move.
    pub fn begin(&self) {
        lock(&self.beats).loops = [Some(Instant::now()); 3];
    }

    /// This loop advanced.
    pub fn beat(&self, which: Loop) {
        if let Some(Some(beat)) = lock(&self.beats).loops.get_mut(which.place()) {
            *beat = Instant::now();
        }
    }

    /// A tick took a step of one letter: what it is part of, sender and upkeep, is on its way, however
    /// long the mail lets each letter wait.
    pub(super) fn step(&self) {
        self.beat(Loop::Sender);
        self.beat(Loop::Upkeep);
    }

    /// A tick went well, or our own database refused it.
    pub(super) fn state_answered(&self, well: bool) {
        let mut beats = lock(&self.beats);
        beats.refused = if well { None } else { beats.refused.or_else(|| Some(Instant::now())) };
    }

    /// Has this loop advanced lately?
    pub fn moves(&self, which: Loop) -> bool {
        let beat = lock(&self.beats).loops.get(which.place()).copied().flatten();
        beat.is_none_or(|beat| beat.elapsed() < self.hung)
    }

    /// The last tick was refused by our own database.
    pub fn state_refuses(&self) -> bool {
        lock(&self.beats).refused.is_some()
    }

    /// Loops that do not move, a sentence each: only a restart mends that.
    pub fn standstills(&self) -> Vec<String> {
        let still = Loop::ALL.into_iter().filter(|which| !self.moves(*which));
        still.map(|which| format!("{} has stood still for {}", which.as_str(), in_words(self.hung))).collect()
    }

    /// What is wrong with the service itself, a sentence each; empty when it is alive.
    pub fn ailments(&self) -> Vec<String> {
        let mut ailments = self.standstills();
        if lock(&self.beats).refused.is_some_and(|since| since.elapsed() >= self.away) {
            ailments.push(format!(
                "the state has refused every tick for {}; see its disk, and who else has it open",
                in_words(self.away)
            ));
        }
        ailments
    }
}

/// More than so many whole minutes.
fn in_words(least: Duration) -> String {
    format!("more than {} min", least.as_secs() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> Pulse {
        Pulse::new(Duration::ZERO, Duration::ZERO)
    }

    #[test]
    fn a_command_has_no_pulse_and_a_service_has_three() {
        let pulse = quick();
        assert!(pulse.ailments().is_empty());
        pulse.begin();
        assert_eq!(pulse.ailments().len(), 3);
        let patient = Pulse::new(Duration::from_mins(1), Duration::from_mins(1));
        patient.begin();
        patient.state_answered(false);
        assert!(patient.ailments().is_empty());
    }

    #[test]
    fn a_state_that_answers_again_is_no_ailment() {
        let pulse = Pulse::new(Duration::from_mins(1), Duration::ZERO);
        pulse.state_answered(false);
        assert_eq!(pulse.ailments().len(), 1);
        assert!(pulse.standstills().is_empty(), "a restart would not mend it");
        pulse.state_answered(true);
        assert!(pulse.ailments().is_empty());
    }

    #[test]
    fn one_loop_that_moves_does_not_speak_for_the_others() {
        let pulse = Pulse::new(Duration::from_millis(20), Duration::from_mins(1));
        pulse.begin();
        std::thread::sleep(Duration::from_millis(25));
        pulse.beat(Loop::Sender);
        pulse.beat(Loop::Upkeep);
        assert!(!pulse.moves(Loop::Intake));
    }
}
