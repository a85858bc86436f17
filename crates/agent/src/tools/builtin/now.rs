//! `now`: the current date and time.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::tools::retry::Attempt;

/// The time in the zone that is asked for, else in UTC.
pub(crate) fn now(arguments: &Value, at: Timestamp) -> Attempt {
    let zone = match arguments.get("time_zone").and_then(Value::as_str).map(str::trim) {
        None | Some("") => TimeZone::UTC,
        Some(name) => match TimeZone::get(name) {
            Ok(zone) => zone,
            Err(_) => return unknown(name),
        },
    };
    let seconds = at.round(jiff::Unit::Second).unwrap_or(at);
    let offset = zone.to_offset(seconds);
    if offset.is_zero() && zone == TimeZone::UTC {
        return Attempt::answered(seconds.to_string().into());
    }
    Attempt::answered(seconds.display_with_offset(offset).to_string().into())
}

fn unknown(name: &str) -> Attempt {
    // A machine without a database of time zones knows none of them, not even this one.
    let message = if TimeZone::get("Europe/Berlin").is_err() {
        "this machine has no time zone database (on Linux: install `tzdata`); ask without `time_zone` for UTC"
            .to_owned()
    } else {
        format!("`{name}` is no time zone: use an IANA name such as `Europe/Berlin`, or leave it out for UTC")
    };
    Attempt::failed("bad_arguments", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use agenticai_domain::journal::CallOutcome;
    use serde_json::json;

    use super::*;

    #[test]
    fn time_is_told_in_the_zone_that_is_asked_for() {
        let at: Timestamp = "2026-07-01T12:00:00.4Z".parse().unwrap();
        let told = |arguments| match now(&arguments, at) {
            Attempt::Ended(CallOutcome::Ok { content }) => content,
            other => json!(format!("{other:?}")),
        };
        assert_eq!(told(json!({})), json!("2026-07-01T12:00:00Z"));
        assert_eq!(told(json!({"time_zone": null})), json!("2026-07-01T12:00:00Z"));
        let asked = told(json!({"time_zone": "Europe/Berlin"}));
        let asked = asked.as_str().unwrap();
        assert!(asked == "2026-07-01T14:00:00+02:00" || asked.contains("install `tzdata`"), "{asked}");
        assert!(told(json!({"time_zone": "Mars/Olympus"})).as_str().unwrap().contains("bad_arguments"));
    }
}
