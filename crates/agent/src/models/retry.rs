//! How long to pause before another attempt.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::config::RetrySettings;

/// The pause before attempt `next` (2 or more). The provider's wish is kept, up to a bound, with a little added so that
/// many who were told the same do not come back together; without one the pause is drawn from nothing up to a bound
/// that doubles.
pub(super) fn pause(settings: &RetrySettings, next: u32, asked: Option<Duration>) -> Duration {
    let jitter = fastrand::f64();
    match asked {
        Some(asked) => {
            let asked = asked.min(settings.max_retry_after);
            asked + settings.initial.min(asked.max(Duration::from_millis(10))).mul_f64(jitter)
        }
        None => {
            let doubled = settings.initial.saturating_mul(1 << next.saturating_sub(2).min(20));
            doubled.min(settings.max).mul_f64(jitter)
        }
    }
}

/// When the provider wants to be asked again: `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub(super) fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str, unit: f64| {
        let value = text.parse::<f64>().ok()? * unit;
        Duration::try_from_secs_f64(value).ok()
    };
    if let Some(ms) = text("retry-after-ms").and_then(|t| number(t, 0.001)) {
        return Some(ms);
    }
    let text = text("retry-after")?;
    number(text, 1.0).or_else(|| {
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        let date = u64::try_from(date.timestamp().as_millisecond()).ok()?;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(Duration::from_millis(date).saturating_sub(now))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn header(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn pauses_double_within_bounds_and_wishes_are_kept() {
        let settings = RetrySettings {
            max_attempts: 9,
            initial: Duration::from_millis(100),
            max: Duration::from_secs(1),
            max_retry_after: Duration::from_secs(5),
        };
        for _ in 0..200 {
            assert!(pause(&settings, 2, None) <= Duration::from_millis(100));
            assert!(pause(&settings, 4, None) <= Duration::from_millis(400));
            assert!(pause(&settings, 40, None) <= Duration::from_secs(1));
            let wish = pause(&settings, 2, Some(Duration::from_secs(2)));
            assert!(wish >= Duration::from_secs(2) && wish <= Duration::from_millis(2100), "{wish:?}");
            assert!(pause(&settings, 2, Some(Duration::from_secs(3600))) <= Duration::from_millis(5100));
        }
    }

    #[test]
    fn wishes_are_read_in_every_form() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let read = |name, value| asked(&header(name, value), now);
        assert_eq!(read("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(read("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(read("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(read("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT"), Some(Duration::from_secs(3)));
        assert_eq!(read("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("retry-after", "soon"), None);
        assert_eq!(read("retry-after", "-3"), None);
        assert_eq!(read("retry-after", "NaN"), None);
    }
}
