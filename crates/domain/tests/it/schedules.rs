//! When schedules fire: clocks that are set forward and back, outages, and mistakes.

use agenticai_domain::ids::ScheduleId;
use agenticai_domain::schedule::{
    CatchUp, LATE_MS, MOST_MISSED, Overlap, Rule, ScheduleSpec, due, task_of, task_of_trigger,
};
use agenticai_domain::task::TaskInput;
use uuid::Uuid;

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// What a clock in the zone shows at the next occurrences after a time, with its offset.
fn next(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let rule = Rule::compile(cron, zone).unwrap();
    let shown = |at| rule.local(at).unwrap().split_once('[').unwrap().0.to_owned();
    rule.following(at(after)).take(count).map(shown).collect()
}

/// Berlin's clocks go from 02:00 to 03:00 on 2026-03-29, at 01:00 UTC.
#[test]
fn a_fixed_time_in_a_gap_fires_at_its_end() {
    let fired = next("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
    assert_eq!(
        fired,
        ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    );
    // On the edges of the gap nothing is moved and nothing fires twice.
    let fired = next("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3);
    assert_eq!(
        fired,
        ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00", "2026-03-30T03:00:00+02:00"]
    );
}

#[test]
fn a_step_passes_over_a_gap() {
    let fired = next("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:10:00Z", 3);
    assert_eq!(
        fired,
        ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]
    );
}

/// New York's clocks go from 02:00 back to 01:00 on 2026-11-01, at 06:00 UTC.
#[test]
fn a_fixed_time_that_comes_twice_fires_once() {
    let fired = next("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2);
    assert_eq!(fired, ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]);
    // Asked between the two passes, it does not fire in the second.
    let fired = next("30 1 * * *", "America/New_York", "2026-11-01T05:45:00Z", 1);
    assert_eq!(fired, ["2026-11-02T01:30:00-05:00"]);
}

#[test]
fn a_step_fires_in_both_passes() {
    let fired = next("*/30 * * * *", "America/New_York", "2026-11-01T04:45:00Z", 5);
    assert_eq!(
        fired,
        [
            "2026-11-01T01:00:00-04:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-01T01:00:00-05:00",
            "2026-11-01T01:30:00-05:00",
            "2026-11-01T02:00:00-05:00"
        ]
    );
}

/// Lord Howe's clocks move by half an hour; the whole day of 2011-12-30 is missing in Apia.
#[test]
fn odd_zones_are_right_too() {
    let fired = next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2);
    assert_eq!(fired, ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]);
    let fired = next("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 2);
    assert_eq!(fired[0], "2011-12-29T12:00:00-10:00");
    assert!(fired[1].starts_with("2011-12-31T"), "{fired:?}");
}

#[test]
fn months_weekdays_and_seconds_are_read() {
    for (cron, expected) in [
        ("0 9 * * MON-FRI", "2026-01-01T09:00:00+00:00"),
        ("0 0 L * *", "2026-01-31T00:00:00+00:00"),
        ("0 0 * * FRI#2", "2026-01-09T00:00:00+00:00"),
        ("0 0 * * FRI#L", "2026-01-30T00:00:00+00:00"),
        ("0 0 17W * *", "2026-01-16T00:00:00+00:00"),
        ("@daily", "2026-01-02T00:00:00+00:00"),
        ("*/10 * * * * *", "2026-01-01T00:00:10+00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
    ] {
        assert_eq!(next(cron, "UTC", "2026-01-01T00:00:00.500Z", 1), [expected], "{cron}");
    }
}

#[test]
fn an_occurrence_is_not_after_itself() {
    let rule = Rule::compile("* * * * * *", "UTC").unwrap();
    let now = at("2026-01-01T00:00:00Z");
    assert_eq!(rule.after(now), Some(now + 1_000));
    assert_eq!(rule.after(now - 1), Some(now));
    assert_eq!(rule.after(now + 999), Some(now + 1_000));
}

#[test]
fn what_never_comes_is_none() {
    assert_eq!(next("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", 1), [""; 0]);
    assert_eq!(next("0 0 0 1 1 * 2020", "UTC", "2026-01-01T00:00:00Z", 1), [""; 0]);
    let rule = Rule::compile("* * * * *", "UTC").unwrap();
    assert_eq!((rule.after(i64::MAX), rule.newest(i64::MIN, i64::MIN + 1, 3)), (None, vec![]));
}

/// The newest occurrences are those that `after` finds one by one, around every change of the clocks.
#[test]
fn looking_back_finds_what_looking_forward_found() {
    for cron in ["30 2 * * *", "*/20 * * * *", "0 */2 * * *", "15,45 1-3 * * *", "7 7 * * SUN"] {
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
            let rule = Rule::compile(cron, zone).unwrap();
            for day in ["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"] {
                let from = at(&format!("{day}T00:00:00Z")) - 24 * 3_600_000;
                for hours in [1, 7, 24, 30, 72] {
                    let until = from + hours * 3_600_000;
                    let all: Vec<i64> =
                        rule.following(from - 1).take_while(|occurrence| *occurrence <= until).collect();
                    for limit in [1, 3, 1000] {
                        let newest = &all[all.len().saturating_sub(limit)..];
                        assert_eq!(
                            rule.newest(from, until, limit),
                            newest,
                            "{cron} {zone} {day} {hours} {limit}"
                        );
                    }
                }
            }
        }
    }
}

fn spec(cron: &str, catch_up: CatchUp) -> ScheduleSpec {
    ScheduleSpec {
        name: "nightly".to_owned(),
        agent: "reporter".to_owned(),
        agent_version: None,
        input: TaskInput::Text("report".to_owned()),
        priority: None,
        timeout_seconds: None,
        metadata: serde_json::Map::new(),
        cron: cron.to_owned(),
        timezone: "UTC".to_owned(),
        overlap: Overlap::Queue,
        catch_up,
        catch_up_window_seconds: None,
    }
}

#[test]
fn nothing_is_due_before_its_time() {
    let spec = spec("0 * * * *", CatchUp::All);
    let rule = spec.check().unwrap();
    let next = at("2026-01-01T01:00:00Z");
    let found = due(&spec, &rule, next, next - 1);
    assert_eq!((found.fire, found.next), (vec![], Some(next)));
    let found = due(&spec, &rule, next, next);
    assert_eq!((found.fire, found.next), (vec![next], Some(next + 3_600_000)));
}

#[test]
fn an_outage_is_made_up_for_as_the_schedule_says() {
    let next = at("2026-01-01T01:00:00Z");
    let hour = 3_600_000;
    // Five occurrences are missed; the sixth is a moment late, which is no miss.
    let now = next + 5 * hour + LATE_MS;
    let all: Vec<i64> = (0..6).map(|n| next + n * hour).collect();
    for (catch_up, expected) in
        [(CatchUp::None, &all[5..]), (CatchUp::One, &all[4..]), (CatchUp::All, &all[..])]
    {
        let spec = spec("0 * * * *", catch_up);
        let found = due(&spec, &spec.check().unwrap(), next, now);
        assert_eq!((found.fire.as_slice(), found.next), (expected, Some(next + 6 * hour)), "{catch_up:?}");
    }
    // A millisecond later it is one more miss.
    let none = spec("0 * * * *", CatchUp::None);
    assert_eq!(due(&none, &none.check().unwrap(), next, now + 1).fire, [0; 0]);
}

#[test]
fn what_is_older_than_the_window_is_left_out() {
    let mut spec = spec("0 * * * *", CatchUp::All);
    spec.catch_up_window_seconds = Some(2 * 3600);
    let next = at("2026-01-01T01:00:00Z");
    let now = next + 10 * 3_600_000 + 60_000;
    let found = due(&spec, &spec.check().unwrap(), next, now);
    assert_eq!(found.fire, [next + 9 * 3_600_000, next + 10 * 3_600_000]);
    spec.catch_up = CatchUp::One;
    spec.catch_up_window_seconds = Some(59);
    assert_eq!(due(&spec, &spec.check().unwrap(), next, now).fire, [0; 0]);
}

/// A schedule of every second, found again after a year: bounded, and in no time.
#[test]
fn a_long_outage_is_bounded() {
    let mut spec = spec("* * * * * *", CatchUp::All);
    spec.catch_up_window_seconds = Some(366 * 24 * 3600);
    let next = at("2026-01-01T00:00:00Z");
    let now = next + 360 * 24 * 3_600_000;
    let begun = std::time::Instant::now();
    let found = due(&spec, &spec.check().unwrap(), next, now);
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(found.fire.len(), MOST_MISSED + 6);
    assert!(found.fire.windows(2).all(|pair| pair[0] + 1_000 == pair[1]), "each once, in order");
    assert_eq!((found.fire.last(), found.next), (Some(&now), Some(now + 1_000)));
}

#[test]
fn replace_fires_the_newest_alone() {
    let mut spec = spec("* * * * * *", CatchUp::All);
    spec.overlap = Overlap::Replace;
    let now = at("2026-01-01T00:00:00Z");
    assert_eq!(due(&spec, &spec.check().unwrap(), now - 60_000, now).fire, [now]);
}

#[test]
fn mistakes_say_what_to_write() {
    let mut bad = spec("61 * * * *", CatchUp::One);
    bad.name = "Not Good".to_owned();
    bad.timezone = "Berlin".to_owned();
    bad.catch_up_window_seconds = Some(0);
    let found = bad.check().unwrap_err();
    let places: Vec<&str> = found.iter().map(|mistake| mistake.path.as_str()).collect();
    assert_eq!(places, ["name", "catch_up_window_seconds", "cron", "timezone"]);
    assert!(
        found[2].message.contains("`61 * * * *`") && found[2].message.contains("0 9 * * MON-FRI"),
        "{found:?}"
    );
    assert!(found[3].message.contains("Europe/Berlin"), "{found:?}");
    for cron in ["", "* * *", "hourly", "* * * * MONDAYISH", "0 0 32 1 *", "a b c d e", "* * * * * * * *"] {
        let mut bad = spec(cron, CatchUp::One);
        bad.name = "01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
        let found = bad.check().unwrap_err();
        assert_eq!(found.len(), 2, "{cron}: {found:?}");
    }
}

/// These ids are in databases: they must never change.
#[test]
fn the_task_of_an_occurrence_is_always_the_same() {
    let schedule = ScheduleId(Uuid::from_u128(7));
    let task = task_of(schedule, 1_767_225_600_000);
    assert_eq!(task.to_string(), "9d75d38e-ca1d-5fac-aa07-1ad8039e07f3");
    assert_ne!(task, task_of(schedule, 1_767_225_601_000));
    assert_ne!(task, task_of(ScheduleId(Uuid::from_u128(8)), 1_767_225_600_000));
    assert_ne!(task_of_trigger(schedule, "a"), task_of_trigger(schedule, "b"));
}
