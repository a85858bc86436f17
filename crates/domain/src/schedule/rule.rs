//! When a schedule fires: a cron expression in a time zone, as a function without a clock.
//!
//! Clocks that are set forward and back follow [croner]'s rules, which are those of the Open Cron Pattern
//! Specification. An expression that names its hours and minutes (`30 2 * * *`) fires once a day: in a gap at the first
//! moment after it, and where a time comes twice at the first of the two. An expression with a wildcard or a step in its
//! seconds, minutes or hours (`*/15 * * * *`) follows the clock on the wall: it passes over a gap and fires in both
//! passes of an hour that comes twice.

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use croner::errors::CronError;
use croner::{CivilDateTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use crate::spec::SpecError;

/// The zones that the program carries. Those of the machine are not asked: two processes must not disagree about when
/// a schedule fires, and a container may have none.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const HALF_DAY: i64 = 12 * 3_600_000;
/// How far ahead [`Rule::after`] looks for the other side of a gap, in steps that double.
const LONGEST_LEAP: i64 = 512 * HALF_DAY;

/// A cron expression in a time zone. Times are milliseconds since 1970; occurrences are whole seconds.
#[derive(Debug, Clone)]
pub struct Rule {
    cron: Cron,
    zone: TimeZone,
}

impl Rule {
    /// Reads both; answers every mistake, with the fields `cron` and `timezone` as places.
    pub fn compile(cron: &str, timezone: &str) -> Result<Self, Vec<SpecError>> {
        let mut found = Vec::new();
        let mut mistake = |path: &str, message| found.push(SpecError { path: path.to_owned(), message });
        let parsed = cron.parse::<Cron>().map_err(|why| mistake("cron", bad_cron(cron, &why)));
        let zone = ZONES.get(timezone).map_err(|_| {
            let message = format!(
                "`{timezone}` is no time zone: write its IANA name, for example `UTC` or `Europe/Berlin`"
            );
            mistake("timezone", message);
        });
        match (parsed, zone) {
            (Ok(cron), Ok(zone)) => Ok(Self { cron, zone }),
            _ => Err(found),
        }
    }

    /// The first occurrence after a time, `None` where there is none any more.
    pub fn after(&self, at: i64) -> Option<i64> {
        // Where a zone leaves out a whole day (Apia had no 2011-12-30) and a fixed time falls into it, croner gives up
        // as it does at the end of its calendar. Asked from beyond the gap, it finds the way again.
        let mut beyond = 0;
        while beyond <= LONGEST_LEAP {
            let found =
                self.seek(at.checked_add(beyond)?, |from| self.cron.find_next_occurrence(from, false));
            if let Some(next) = found {
                return (next > at).then_some(next);
            }
            beyond = (beyond * 2).max(HALF_DAY);
        }
        None
    }

    /// The occurrences from `from` to `until`, both included, the newest `limit` of them, oldest first. Its cost depends
    /// on `limit` alone: an outage may have been long.
    pub fn newest(&self, from: i64, until: i64, limit: usize) -> Vec<i64> {
        if limit == 0 || from > until {
            return Vec::new();
        }
        // The search backwards only finds where to begin: the occurrences themselves are what `after` says, so that
        // one that is made up for is the same as it would have been in time.
        let mut begin = until.saturating_add(1);
        for _ in 0..limit {
            match self.before(begin) {
                Some(earlier) if earlier >= from => begin = earlier,
                _ => break,
            }
        }
        let mut found: Vec<i64> =
            self.following(begin.max(from).saturating_sub(1)).take_while(|at| *at <= until).collect();
        found.drain(..found.len().saturating_sub(limit));
        found
    }

    /// The occurrences after a time, without end where the expression has none.
    pub fn following(&self, at: i64) -> impl Iterator<Item = i64> + '_ {
        std::iter::successors(self.after(at), |last| self.after(*last))
    }

    /// A time as a clock in the rule's zone shows it, with the offset and the zone's name (RFC 9557).
    pub fn local(&self, at: i64) -> Option<String> {
        Timestamp::from_millisecond(at).ok().map(|at| at.to_zoned_datetime(self.zone.clone()).to_string())
    }

    fn before(&self, at: i64) -> Option<i64> {
        // Croner counts in seconds and drops what is beyond them: the last whole second before `at` is included.
        let found = self.seek(at.checked_sub(1)?, |from| self.cron.find_previous_occurrence(from, true));
        found.filter(|before| *before < at)
    }

    fn seek(&self, at: i64, find: impl FnOnce(&Moment) -> Result<Moment, CronError>) -> Option<i64> {
        let second = Timestamp::from_second(at.div_euclid(1000)).ok()?;
        let found = find(&Moment::new(second.to_zoned_datetime(self.zone.clone()))?).ok()?;
        Some(found.at.timestamp().as_second() * 1000)
    }
}

fn bad_cron(text: &str, why: &CronError) -> String {
    let why: &dyn fmt::Display = match why {
        CronError::EmptyPattern => &"it is empty",
        CronError::InvalidPattern(why)
        | CronError::IllegalCharacters(why)
        | CronError::ComponentError(why) => why,
        other => other,
    };
    let why = why.to_string();
    format!(
        "`{text}` is no cron expression ({}): write minute, hour, day, month and weekday, with seconds before them if \
         wanted, for example `0 9 * * MON-FRI`",
        why.trim_end_matches('.')
    )
}

/// A time of [`jiff`] as croner wants it: with what a clock on the wall shows.
#[derive(Clone)]
struct Moment {
    at: ZonedDateTime,
    civil: CivilDateTime,
}

impl Moment {
    fn new(at: ZonedDateTime) -> Option<Self> {
        let clock = at.datetime();
        let part = |value: i8| u32::try_from(value).ok();
        let civil = CivilDateTime::from_ymd_hms_opt(
            i32::from(clock.year()),
            part(clock.month())?,
            part(clock.day())?,
            part(clock.hour())?,
            part(clock.minute())?,
            part(clock.second())?,
        )?;
        Some(Self { at, civil })
    }
}

impl CronDateTime for Moment {
    fn to_civil(&self) -> CivilDateTime {
        self.civil
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::from(self.at.weekday().to_sunday_zero_offset().unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let clock = to_jiff(civil).ok_or(CronError::InvalidDate)?;
        let ambiguous = self.at.time_zone().to_ambiguous_zoned_datetime(clock);
        let moment = |at: Result<ZonedDateTime, jiff::Error>| {
            at.ok().map(|at| Self { at, civil }).ok_or(CronError::InvalidTime)
        };
        Ok(match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(moment(ambiguous.unambiguous())?),
            AmbiguousOffset::Fold { .. } => {
                Resolution::Ambiguous(moment(ambiguous.clone().earlier())?, moment(ambiguous.later())?)
            }
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        Self::new(self.at.checked_add(SignedDuration::from_secs(seconds)).ok()?)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.at.timestamp().cmp(&other.at.timestamp())
    }
}

fn to_jiff(civil: CivilDateTime) -> Option<DateTime> {
    let part = |value: u32| i8::try_from(value).ok();
    DateTime::new(
        i16::try_from(civil.year()).ok()?,
        part(civil.month())?,
        part(civil.day())?,
        part(civil.hour())?,
        part(civil.minute())?,
        part(civil.second())?,
        0,
    )
    .ok()
}
