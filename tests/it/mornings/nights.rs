//! Nights in which the clocks change between the file and the letter, in three zones (contract 5;
//! F106, I9, I10): half an hour forward on Lord Howe, an hour back in Berlin, an hour forward in New York.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use firstpass::clock::Clock;
use firstpass::sandbox::mailbox::ReceivedLetter;

use super::pace::Pace;
use super::under_a_faked_clock;
use crate::world::{World, at, short_limits};

const EVENING: &str = "2026-10-03T13:00:00Z";
/// A letter may come so long after its time: the service looks every 15 seconds.
const PUNCTUAL: TimeDelta = TimeDelta::minutes(5);

/// One night. Two hires: one whose start lies in the hour that is left out or comes twice, so that the
/// letter goes out at the start; one who starts at nine, with the letter at seven.
struct Night {
    zone: &'static str,
    date: &'static str,
    /// When HR writes the file.
    evening: &'static str,
    /// The wall time of the first.
    odd: &'static str,
    /// The instant that it means.
    odd_at: &'static str,
    /// 07:00 there.
    seven: &'static str,
    /// 09:00 there.
    nine: &'static str,
}

const NIGHTS: [Night; 3] = [
    Night {
        zone: "Australia/Lord_Howe", // at 02:00 the clock shows 02:30
        date: "2026-10-04",
        evening: "2026-10-03T14:00:00Z",
        odd: "02:15",
        odd_at: "2026-10-03T15:45:00Z",
        seven: "2026-10-03T20:00:00Z",
        nine: "2026-10-03T22:00:00Z",
    },
    Night {
        zone: "Europe/Berlin", // at 03:00 the clock shows 02:00 again; the first 02:30 is meant
        date: "2026-10-25",
        evening: "2026-10-24T23:00:00Z",
        odd: "02:30",
        odd_at: "2026-10-25T00:30:00Z",
        seven: "2026-10-25T06:00:00Z",
        nine: "2026-10-25T08:00:00Z",
    },
    Night {
        zone: "America/New_York", // at 02:00 the clock shows 03:00
        date: "2027-03-14",
        evening: "2027-03-14T05:30:00Z",
        odd: "02:30",
        odd_at: "2027-03-14T07:30:00Z",
        seven: "2027-03-14T11:00:00Z",
        nine: "2027-03-14T13:00:00Z",
    },
];

#[test]
fn f106_letters_at_the_right_wall_time_through_nights_in_which_the_clocks_change() {
    under_a_faked_clock("nights::three_nights", "@2026-10-03 13:00:00", &[("FAKETIME_DONT_RESET", "1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, under a faked clock"]
async fn three_nights() {
    let mut pace = Pace::from(EVENING);
    let mut world = World::around("", short_limits(), Clock::System);
    world.restart().await;
    let mut service = world.spawn();
    pace.wait_for("the service", TimeDelta::minutes(10), || world.log().contains("\"ready\"")).await;
    for (n, night) in NIGHTS.iter().enumerate() {
        one_night(&world, &mut pace, n, night).await;
    }
    service.terminate();
    assert_eq!(service.wait().unwrap().code(), Some(0), "{}", world.log());
    assert_eq!(world.letters().len(), 2 * NIGHTS.len(), "nobody got a second letter\n{}", world.story().await);
    world.finish().await;
}

async fn one_night(world: &World, pace: &mut Pace, n: usize, night: &Night) {
    let Night { zone, date, odd, .. } = night;
    pace.jump(at(night.evening));
    let (early, late) = (format!("early{n}@contoso.example"), format!("late{n}@contoso.example"));
    let mut file = "employee_id,user,start_date,start_time,zone\n".to_owned();
    for (key, upn, time) in [("A", &early, *odd), ("B", &late, "09:00")] {
        world.person(upn, upn, &format!("{key}{n}"), Some("mia.manager@contoso.example"));
        let _ = writeln!(file, "{key}{n},{upn},{date},{time},{zone}");
    }
    let name = format!("night{n}.csv");
    world.drop_file(&name, &file);
    let taken = world.dir.path().join("drop").join(&name);
    pace.wait_for("the next poll", TimeDelta::minutes(10), || !taken.exists()).await;

    for (upn, send, n_before) in [(&early, at(night.odd_at), 2 * n), (&late, at(night.seven), 2 * n + 1)] {
        pace.run_until(send).await;
        pace.wait_for("the letter", PUNCTUAL, || world.code_letters().len() > n_before).await;
        let letters = world.code_letters();
        assert_eq!(letters.len(), n_before + 1, "one letter at a time");
        let letter = &letters[n_before];
        let passes = world.passes(upn);
        assert_eq!(passes.len(), 1, "one pass for {upn}");
        let (pass, letter_at, dated) = (&passes[0], letter.at, dated(letter));
        assert_eq!(letter.code().as_deref(), Some(pass.code.as_str()), "{zone}: the letter is this hire's");
        for (what, instant) in [("made", pass.created), ("mailed", letter_at), ("dated", dated)] {
            assert!(send <= instant && instant <= send + PUNCTUAL, "{zone}: {what} {instant}, due {send}");
        }
        let text = letter.part("text/plain").unwrap();
        if send == at(night.seven) {
            assert_eq!(pass.start, at(night.nine), "{zone}: usable from the local start");
            assert!(text.contains(&format!(", 09:00 ({zone})")), "{}", text.replace(&pass.code, "…"));
        } else {
            assert!(pass.start - send < PUNCTUAL, "{zone}: usable at once");
        }
    }
}

/// The date that the letter bears; it has whole seconds.
fn dated(letter: &ReceivedLetter) -> DateTime<Utc> {
    let date = letter.header("Date").unwrap();
    DateTime::parse_from_rfc2822(&date).unwrap().to_utc()
}
