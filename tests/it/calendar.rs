//! Wall times become instants (contract 5; `faults.md`, "Time": F106, F107, F109; I9).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use firstpass::config::tz_versions;
use firstpass::rules::calendar::{
    Morning, NoMorning, Schedule, Standing, Zone, ZoneError, first_look, local_text, morning, next_look,
};
use firstpass::rules::hire::Start;
use firstpass::rules::places::{COUNTRIES, only_zone_of_country};
use proptest::prelude::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn start(date: NaiveDate, wall: NaiveTime, zone: &str) -> Start {
    Start { date, time: wall, zone: Some(Zone::parse(zone).unwrap()) }
}

/// The instant of a wall time, as start and as send time alike.
fn instant(zone: &str, date: &str, wall: &str) -> Result<DateTime<Utc>, NoMorning> {
    let found = morning(&start(day(date), time(wall), zone), time(wall))?;
    assert_eq!(found.send, found.start, "one wall time is one instant, whatever it is for");
    Ok(found.start)
}

#[test]
fn f106_lord_howe_moves_by_thirty_minutes() {
    assert_eq!(instant("Australia/Lord_Howe", "2026-10-04", "02:15"), Ok(at("2026-10-03T15:45:00Z")), "gap");
    assert_eq!(instant("Australia/Lord_Howe", "2026-04-05", "01:45"), Ok(at("2026-04-04T14:45:00Z")), "fold");
}

#[test]
fn f106_new_york_gap_and_fold() {
    assert_eq!(instant("America/New_York", "2026-03-08", "02:30"), Ok(at("2026-03-08T07:30:00Z")));
    assert_eq!(instant("America/New_York", "2026-11-01", "01:30"), Ok(at("2026-11-01T05:30:00Z")));
}

#[test]
fn f106_midnight_does_not_exist() {
    for (zone, date, wall, expected) in [
        ("America/Santiago", "2026-09-06", "00:00", "2026-09-06T04:00:00Z"),
        ("America/Havana", "2026-03-08", "00:00", "2026-03-08T05:00:00Z"),
        ("Asia/Beirut", "2026-03-29", "00:00", "2026-03-28T22:00:00Z"),
        ("Africa/Cairo", "2026-04-24", "00:30", "2026-04-23T22:30:00Z"),
    ] {
        assert_eq!(instant(zone, date, wall), Ok(at(expected)), "{zone}");
        let found = morning(&start(day(date), time("09:00"), zone), time("07:00")).unwrap();
        assert!(
            local_text(found.day_from, &Zone::parse(zone).unwrap()).starts_with(&format!("{date} 01:00")),
            "{zone}"
        );
        assert_eq!(found.day_until - found.day_from, TimeDelta::hours(23), "{zone}");
    }
}

#[test]
fn f106_troll_moves_by_two_hours() {
    assert_eq!(instant("Antarctica/Troll", "2026-03-29", "02:00"), Ok(at("2026-03-29T02:00:00Z")));
}

#[test]
fn f106_dublin_has_negative_summer_time() {
    assert_eq!(instant("Europe/Dublin", "2026-03-29", "01:30"), Ok(at("2026-03-29T01:30:00Z")));
}

#[test]
fn f106_casablanca_in_ramadan() {
    assert_eq!(instant("Africa/Casablanca", "2026-02-15", "02:30"), Ok(at("2026-02-15T01:30:00Z")));
}

#[test]
fn f106_apia_left_a_day_out() {
    assert_eq!(instant("Pacific/Apia", "2011-12-30", "09:00"), Err(NoMorning::NoSuchDay));
    assert_eq!(instant("Pacific/Apia", "2011-12-31", "09:00"), Ok(at("2011-12-30T19:00:00Z")));
    let before = morning(&start(day("2011-12-29"), time("09:00"), "Pacific/Apia"), time("07:00")).unwrap();
    assert_eq!(before.day_until - before.day_from, TimeDelta::hours(24));
}

#[test]
fn f106_the_ends_of_the_day() {
    assert_eq!(instant("Pacific/Kiritimati", "2026-06-01", "09:00"), Ok(at("2026-05-31T19:00:00Z")));
    assert_eq!(instant("Etc/GMT+12", "2026-06-01", "09:00"), Ok(at("2026-06-01T21:00:00Z")));
}

#[test]
fn f106_quarters_of_an_hour() {
    assert_eq!(instant("Asia/Kathmandu", "2026-06-01", "09:00"), Ok(at("2026-06-01T03:15:00Z")));
    assert_eq!(instant("Pacific/Chatham", "2026-09-27", "02:45"), Ok(at("2026-09-26T14:00:00Z")));
}

/// The same moments as "now": what a person reads of an instant in a gap or a fold.
#[test]
fn f106_as_now_the_wall_time_is_what_the_clock_shows() {
    let shown = |zone: &str, instant: &str| local_text(at(instant), &Zone::parse(zone).unwrap());
    for (zone, instant, expected) in [
        ("Australia/Lord_Howe", "2026-10-03T15:45:00Z", "2026-10-04 02:45"),
        ("Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-05 01:45"),
        ("Australia/Lord_Howe", "2026-04-04T15:15:00Z", "2026-04-05 01:45"),
        ("America/New_York", "2026-03-08T07:30:00Z", "2026-03-08 03:30"),
        ("America/New_York", "2026-11-01T06:30:00Z", "2026-11-01 01:30"),
        ("America/Santiago", "2026-09-06T04:00:00Z", "2026-09-06 01:00"),
        ("America/Havana", "2026-03-08T05:00:00Z", "2026-03-08 01:00"),
        ("Asia/Beirut", "2026-03-28T22:00:00Z", "2026-03-29 01:00"),
        ("Africa/Cairo", "2026-04-23T22:30:00Z", "2026-04-24 01:30"),
        ("Antarctica/Troll", "2026-03-29T02:00:00Z", "2026-03-29 04:00"),
        ("Europe/Dublin", "2026-03-29T01:30:00Z", "2026-03-29 02:30"),
        ("Africa/Casablanca", "2026-02-15T01:30:00Z", "2026-02-15 02:30"),
        ("Pacific/Apia", "2011-12-30T09:59:00Z", "2011-12-29 23:59"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31 00:00"),
        ("Pacific/Kiritimati", "2026-05-31T19:00:00Z", "2026-06-01 09:00"),
        ("Etc/GMT+12", "2026-06-01T21:00:00Z", "2026-06-01 09:00"),
        ("Asia/Kathmandu", "2026-06-01T03:15:00Z", "2026-06-01 09:00"),
        ("Pacific/Chatham", "2026-09-26T14:00:00Z", "2026-09-27 03:45"),
    ] {
        assert_eq!(shown(zone, instant), format!("{expected} {zone}"));
    }
}

#[test]
fn f107_no_zone_is_zone_unknown() {
    let nowhere = Start { date: day("2027-03-01"), time: time("09:00"), zone: None };
    assert_eq!(morning(&nowhere, time("07:00")), Err(NoMorning::ZoneUnknown));
}

#[test]
fn f107_a_copy_of_the_zone_data_is_inside() {
    let versions = tz_versions();
    assert!(versions.bundled.starts_with("20"), "{versions:?}");
    if Path::new("/usr/share/zoneinfo/tzdata.zi").exists() {
        assert!(versions.system.unwrap().starts_with("20"));
    }
}

#[test]
fn f109_days_and_years_at_the_edge() {
    assert!(NaiveDate::from_ymd_opt(2027, 2, 29).is_none(), "29 February of a common year is no date at all");
    assert!(instant("Europe/Berlin", "2028-02-29", "09:00").is_ok());
    assert!(instant("Europe/Berlin", "1900-01-01", "09:00").is_ok());
    assert!(instant("Europe/Berlin", "9999-12-29", "09:00").is_ok());
    assert_eq!(instant("Etc/GMT+12", "9999-12-31", "23:00"), Err(NoMorning::OutOfRange));
    let far = start(NaiveDate::MAX, time("09:00"), "UTC");
    assert_eq!(morning(&far, time("07:00")), Err(NoMorning::OutOfRange));
    let leap = NaiveTime::from_hms_milli_opt(23, 59, 59, 1_000).unwrap();
    assert_eq!(morning(&start(day("2026-12-31"), leap, "UTC"), leap), Err(NoMorning::OutOfRange), "23:59:60");
}

#[test]
fn refused_zones_say_why() {
    for (text, expected) in [
        ("EST", ZoneError::Abbreviation("EST".into())),
        ("IST", ZoneError::Abbreviation("IST".into())),
        ("CET", ZoneError::Abbreviation("CET".into())),
        ("GMT", ZoneError::Abbreviation("GMT".into())),
        ("EST5EDT", ZoneError::Abbreviation("EST5EDT".into())),
        ("+5", ZoneError::Offset("+5".into())),
        ("-03:00", ZoneError::Offset("-03:00".into())),
        ("UTC+1", ZoneError::Offset("UTC+1".into())),
        ("GMT-5", ZoneError::Offset("GMT-5".into())),
        ("", ZoneError::Unknown(String::new())),
        ("Mars/Olympus", ZoneError::Unknown("Mars/Olympus".into())),
        ("Etc/Unknown", ZoneError::Unknown("Etc/Unknown".into())),
        ("../../etc/passwd", ZoneError::Unknown("../../etc/passwd".into())),
        ("/etc/localtime", ZoneError::Unknown("/etc/localtime".into())),
        ("posix/Europe/Berlin", ZoneError::Unknown("posix/Europe/Berlin".into())),
        ("localtime", ZoneError::Unknown("localtime".into())),
        ("Factory", ZoneError::Unknown("Factory".into())),
        ("Europe/Berlin ", ZoneError::Unknown("Europe/Berlin ".into())),
        ("europe/berlin", ZoneError::Spelling { text: "europe/berlin".into(), iana: "Europe/Berlin".into() }),
    ] {
        assert_eq!(Zone::parse(text), Err(expected), "{text:?}");
    }
    for link in ["Asia/Calcutta", "US/Eastern", "Singapore", "Europe/Kiev", "UTC", "Etc/UTC", "Etc/GMT-14"] {
        assert_eq!(Zone::parse(link).map(|zone| zone.as_str().to_owned()), Ok(link.to_owned()));
    }
}

fn schedule(ready_check: Duration) -> Schedule {
    Schedule {
        send_at: time("07:00"),
        start_at: time("09:00"),
        late_until: Duration::from_hours(8),
        ready_check,
        tries: 20,
    }
}

fn berlin() -> Morning {
    morning(&start(day("2027-03-01"), time("09:00"), "Europe/Berlin"), time("07:00")).unwrap()
}

#[test]
fn the_first_look_is_the_ready_check_or_now() {
    let (morning, ready) = (berlin(), schedule(Duration::from_hours(96)));
    assert_eq!(first_look(&morning, &ready, at("2027-01-01T00:00:00Z")), at("2027-02-25T06:00:00Z"));
    assert_eq!(first_look(&morning, &ready, at("2027-02-27T11:00:00Z")), at("2027-02-27T11:00:00Z"));
    assert_eq!(first_look(&morning, &ready, at("2027-03-01T10:00:00Z")), at("2027-03-01T10:00:00Z"));
    assert_eq!(first_look(&morning, &schedule(Duration::ZERO), at("2027-02-01T00:00:00Z")), morning.send);
    assert_eq!(first_look(&morning, &schedule(Duration::MAX), at("2027-02-01T00:00:00Z")), at("2027-02-01T00:00:00Z"));
}

#[test]
fn before_the_send_time_daily_or_hourly_and_never_past_it() {
    let morning = berlin();
    let (from, until) = (morning.send, morning.start + TimeDelta::hours(8));
    let next = |standing, now| next_look(standing, &morning, from, until, at(now));
    assert_eq!(next(Standing::Pending, "2027-02-26T06:00:00Z"), Some(at("2027-02-27T06:00:00Z")));
    assert_eq!(next(Standing::Attention, "2027-02-26T06:00:00Z"), Some(at("2027-02-26T07:00:00Z")));
    for standing in [Standing::Pending, Standing::Attention] {
        assert_eq!(next(standing, "2027-03-01T05:30:00Z"), Some(morning.send));
    }
}

#[test]
fn after_the_send_time_after_1_2_5_10_minutes_then_every_15() {
    let morning = berlin();
    let (from, until) = (morning.send, morning.start + TimeDelta::hours(8));
    let mut looks = Vec::new();
    let mut now = from;
    while let Some(next) = next_look(Standing::Attention, &morning, from, until, now) {
        assert!(next > now && next <= until);
        looks.push((next - now).num_minutes());
        now = next;
    }
    assert_eq!(now, until);
    assert_eq!(looks[..6], [1, 2, 5, 10, 15, 15]);
    assert_eq!(next_look(Standing::Attention, &morning, from, until, until), None);
}

fn zones() -> Vec<String> {
    let known = |name: &&str| Zone::parse(name).is_ok();
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).filter(known).map(str::to_owned).collect()
}

proptest! {
    /// One send instant, on that civil date, never after the start unless they are equal.
    #[test]
    fn one_send_instant_on_the_civil_date(
        zone in proptest::sample::select(zones()),
        days in 0u64..366 * 30,
        send_at in 0u32..24 * 60,
        start_at in 0u32..24 * 60,
    ) {
        let date = day("2020-01-01") + Days::new(days);
        let wall = |minutes: u32| NaiveTime::from_hms_opt(minutes / 60, minutes % 60, 0).unwrap();
        let wanted = start(date, wall(start_at), &zone);
        let found = morning(&wanted, wall(send_at)).unwrap();
        prop_assert_eq!(found, morning(&wanted, wall(send_at)).unwrap(), "the same question has the same answer");
        prop_assert!(found.send <= found.start);
        prop_assert!(found.day_from < found.day_until);
        let shown = local_text(found.send, wanted.zone.as_ref().unwrap());
        if found.send == found.start && start_at <= send_at {
            prop_assert!(found.send >= found.day_from);
        } else if found.send >= found.day_until {
            // The only way out of the day: a gap that ends at midnight (Nuuk, Scoresbysund) moves
            // its last hour on, as RFC 5545 says.
            prop_assert!(found.send - found.day_until < TimeDelta::hours(1) && send_at >= 22 * 60, "{}", shown);
        } else {
            prop_assert!(shown.starts_with(&date.to_string()), "{}", shown);
            prop_assert!(found.day_from <= found.send && found.send < found.day_until);
        }
    }

    /// Looks go forward, and end at the end of the window.
    #[test]
    fn looks_go_forward(minutes in -20_000i64..2_000, attention: bool, ready in 0u64..400_000) {
        let morning = berlin();
        let now = morning.send + TimeDelta::minutes(minutes);
        let until = morning.start + TimeDelta::hours(8);
        let standing = if attention { Standing::Attention } else { Standing::Pending };
        let first = first_look(&morning, &schedule(Duration::from_secs(ready)), now);
        prop_assert!(first >= now && (now >= morning.send || first <= morning.send));
        match next_look(standing, &morning, morning.send, until, now) {
            Some(next) => {
                prop_assert!(next > now && next <= until);
                prop_assert!(now >= morning.send || next <= morning.send, "no look jumps over the send time");
            }
            None => prop_assert!(now >= until),
        }
    }
}

/// Reads the system's data independently: offsets in minutes of 07:00 on each day of two years.
const PEER: &str = r"
import datetime, sys, zoneinfo
first, days = datetime.datetime(2026, 11, 1, 7), 731
walls = [first + datetime.timedelta(n) for n in range(days)]
naive = [int((wall - datetime.datetime(1970, 1, 1)).total_seconds()) for wall in walls]
for name in sys.stdin.read().split():
    try:
        zone = zoneinfo.ZoneInfo(name)
    except Exception:
        continue
    offsets = [(a - int(wall.replace(tzinfo=zone).timestamp())) // 60 for a, wall in zip(naive, walls)]
    print(name, *offsets)
";

/// All zones, the days of two years, against the system's data read by somebody else.
#[test]
fn the_walk_over_all_zones_agrees_with_the_system() {
    if tz_versions().system.is_none() {
        println!("skipped: this machine has no zone data of its own");
        return;
    }
    let Some(peer) = peer(&zones().join("\n")) else {
        println!("skipped: there is no python3 with zoneinfo to compare with");
        return;
    };
    let mut n_zones = 0;
    for line in peer.lines() {
        let (zone, offsets) = line.split_once(' ').unwrap();
        let mut wanted = start(day("2026-11-01"), time("07:00"), zone);
        for expected in offsets.split(' ') {
            let found = morning(&wanted, wanted.time).unwrap().send;
            let offset = (wanted.date.and_time(wanted.time).and_utc() - found).num_minutes();
            assert_eq!(offset, expected.parse::<i64>().unwrap(), "{zone} {}", wanted.date);
            wanted.date = wanted.date + Days::new(1);
        }
        n_zones += 1;
    }
    assert!(n_zones > 400, "only {n_zones} zones were compared");
}

fn peer(names: &str) -> Option<String> {
    use std::io::Write;
    use std::process::Stdio;
    let mut python = Command::new("python3")
        .args(["-c", PEER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    python.stdin.take()?.write_all(names.as_bytes()).ok()?;
    let output = python.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Each country of the table shows one time, as far as the system's `zone.tab` knows it.
#[test]
fn the_countries_of_the_table_have_one_time() {
    let codes: Vec<&str> = COUNTRIES.iter().map(|(code, _)| *code).collect();
    assert!(codes.is_sorted(), "looked up by halves");
    for (code, zone) in COUNTRIES {
        assert!(Zone::parse(zone).is_ok(), "{code} {zone}");
    }
    let Ok(table) = std::fs::read_to_string("/usr/share/zoneinfo/zone.tab") else {
        println!("skipped: this machine has no zone.tab");
        return;
    };
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [code, _, zone, ..] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let Some((_, ours)) = COUNTRIES.iter().find(|(known, _)| *known == code) else { continue };
        for month in 1..=24 {
            let date = day("2026-11-15").checked_add_months(chrono::Months::new(month)).unwrap();
            let instant = |zone: &str| morning(&start(date, time("07:00"), zone), time("07:00")).unwrap().send;
            assert_eq!(instant(zone), instant(ours), "{code}: {zone} and {ours} on {date}");
        }
    }
}

/// No country with exactly one zone is missing, by either of the system's tables, and each is found
/// by its name.
#[test]
fn every_country_with_one_zone_is_in_the_table() {
    let read = |name: &str| std::fs::read_to_string(format!("/usr/share/zoneinfo/{name}"));
    let (Ok(by_country), Ok(since_1970), Ok(names)) = (read("zone.tab"), read("zone1970.tab"), read("iso3166.tab"))
    else {
        println!("skipped: this machine has no zone.tab, zone1970.tab and iso3166.tab");
        return;
    };
    let rows = |table: &str| -> Vec<(String, String)> {
        let lines = table.lines().filter(|line| !line.starts_with('#'));
        let cells = lines.map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        cells
            .flat_map(|cells| cells[0].split(',').map(|code| (code.to_owned(), cells[2].clone())).collect::<Vec<_>>())
            .collect()
    };
    let mut n_single = 0;
    for table in [rows(&by_country), rows(&since_1970)] {
        for (code, zone) in &table {
            let zones = table.iter().filter(|(other, _)| other == code).count();
            let known = COUNTRIES.iter().find(|(known, _)| known == code);
            if zones == 1 {
                n_single += 1;
                assert!(known.is_some(), "{code} has one zone, {zone}, and is not in the table");
            }
        }
    }
    assert!(n_single > 400, "only {n_single} rows");
    let table = rows(&by_country);
    for (code, _) in COUNTRIES.iter().filter(|(code, _)| *code != "UK") {
        assert!(table.iter().any(|(known, _)| known == code), "{code} is no country of the system's table");
    }
    for line in names.lines().filter(|line| !line.starts_with('#')) {
        let (code, name) = line.split_once('\t').unwrap();
        let plain = !name.contains(['(', '&']) && name != "Samoa";
        if plain && COUNTRIES.iter().any(|(known, _)| *known == code) {
            assert_eq!(only_zone_of_country(name), only_zone_of_country(code), "{code} {name}");
        }
    }
}

#[test]
fn wall_times_keep_their_seconds() {
    let wall = NaiveTime::from_hms_opt(6, 59, 30).unwrap();
    let found = morning(&start(day("2027-03-01"), time("09:00"), "UTC"), wall).unwrap();
    assert_eq!((found.send.hour(), found.send.minute(), found.send.second(), found.send.day()), (6, 59, 30, 1));
}
