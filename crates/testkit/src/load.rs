//! The load generator: submits N requests at a fixed concurrency, and optionally waits until a count is reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use crate::http::Http;

/// What is sent. In every text `{tag}` is `<prefix>-<number>`, `{i}` the number and `{prefix}` the prefix.
#[derive(Debug, Clone)]
pub struct Load {
    /// How many requests.
    pub n: u64,
    /// How many at the same time.
    pub concurrency: u64,
    /// Tells runs apart.
    pub prefix: String,
    /// Method of each request.
    pub method: String,
    /// Its address, on this machine.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its JSON body; empty: none.
    pub body: String,
    /// Bound on the whole run.
    pub timeout: Duration,
    /// What is asked until everything that was accepted is done.
    pub count: Option<CountQuery>,
}

/// What the number in the answer to a [`CountQuery`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// What is done: asked until it reaches what was accepted.
    Done,
    /// What is left to be done: asked until it is 0, by which time it is the cheaper of the two.
    Left,
}

/// A request whose answer holds a number.
#[derive(Debug, Clone)]
pub struct CountQuery {
    /// Its address, on this machine.
    pub url: String,
    /// The JSON field of the number, at any depth.
    pub field: String,
    /// A body makes it a POST.
    pub body: String,
    /// What the number counts.
    pub counted: Counted,
    /// The shortest pause between two. While much is left it is longer: counting costs what is being measured.
    pub every: Duration,
}

/// What came of it. Times in milliseconds or seconds as their names say.
#[derive(Debug, Clone, Serialize)]
pub struct Loaded {
    /// Requests that were to be sent.
    pub n: u64,
    /// Answers with a 2xx status.
    pub accepted: u64,
    /// The last count.
    pub done: Option<u64>,
    /// Everything else.
    pub errors: usize,
    /// The first of them.
    pub first_error: Option<String>,
    /// Until the last request was answered.
    pub submit_s: f64,
    /// Accepted requests per second of that time.
    pub submit_per_s: f64,
    /// Median latency of accepted requests.
    pub submit_p50_ms: f64,
    /// 99th percentile of it.
    pub submit_p99_ms: f64,
    /// Until everything was counted.
    pub total_s: f64,
    /// Counted ones per second of that time.
    pub done_per_s: Option<f64>,
}

/// Latencies in milliseconds, and errors.
type Answers = (Vec<f64>, Vec<String>);

/// Sends everything and waits for the count.
pub async fn run(load: &Load) -> anyhow::Result<Loaded> {
    let http = Http::default();
    let started = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let load = Arc::new(load.clone());
    let senders: Vec<_> = (0..load.concurrency.min(load.n))
        .map(|_| tokio::spawn(send_some(http.clone(), load.clone(), next.clone(), started)))
        .collect();
    let (mut latencies, mut errors) = (Vec::new(), Vec::new());
    for sender in senders {
        let (more_latencies, more_errors) = sender.await.context("a sender panicked")?;
        latencies.extend(more_latencies);
        errors.extend(more_errors);
    }
    let submit_s = started.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    let accepted = latencies.len() as u64;
    let done = match &load.count {
        Some(query) => wait_for(&http, &load, query, accepted, started).await,
        None => None,
    };
    let total_s = started.elapsed().as_secs_f64();
    Ok(Loaded {
        n: load.n,
        accepted,
        done,
        errors: errors.len(),
        first_error: errors.into_iter().next(),
        submit_s,
        submit_per_s: accepted as f64 / submit_s,
        submit_p50_ms: percentile(&latencies, 0.5),
        submit_p99_ms: percentile(&latencies, 0.99),
        total_s,
        done_per_s: done.map(|done| done as f64 / total_s),
    })
}

async fn send_some(http: Http, load: Arc<Load>, next: Arc<AtomicU64>, started: Instant) -> Answers {
    let (mut latencies, mut errors) = Answers::default();
    while started.elapsed() < load.timeout {
        let i = next.fetch_add(1, Relaxed);
        if i >= load.n {
            break;
        }
        let tag = format!("{}-{i:06}", load.prefix);
        let fill = |text: &str| {
            text.replace("{tag}", &tag).replace("{i}", &i.to_string()).replace("{prefix}", &load.prefix)
        };
        let headers: Vec<_> = load.headers.iter().map(|(name, value)| (name.clone(), fill(value))).collect();
        let began = Instant::now();
        match http.send(&load.method, &fill(&load.url), &headers, fill(&load.body)).await {
            Ok(answer) if answer.status.is_success() => latencies.push(began.elapsed().as_secs_f64() * 1e3),
            Ok(answer) => errors.push(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))),
            Err(why) => errors.push(format!("{why:#}")),
        }
    }
    (latencies, errors)
}

async fn wait_for(
    http: &Http,
    load: &Load,
    query: &CountQuery,
    accepted: u64,
    started: Instant,
) -> Option<u64> {
    let fill = |text: &str| text.replace("{prefix}", &load.prefix);
    let method = if query.body.is_empty() { "GET" } else { "POST" };
    let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
    headers
        .extend(load.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).cloned());
    let mut done = None;
    loop {
        if let Ok(answer) = http.send(method, &fill(&query.url), &headers, fill(&query.body)).await {
            let number = serde_json::from_slice(&answer.body).ok().and_then(|body| find(&body, &query.field));
            done = match query.counted {
                Counted::Done => number,
                Counted::Left => number.map(|left| accepted.saturating_sub(left)),
            }
            .or(done);
        }
        if done >= Some(accepted) || started.elapsed() > load.timeout {
            return done;
        }
        tokio::time::sleep(pause(query.every, started.elapsed(), done.unwrap_or(0), accepted)).await;
    }
}

/// A quarter of the time that what is left will take at the speed so far, at least `every` and at most a quarter of a
/// second.
fn pause(every: Duration, so_far: Duration, done: u64, accepted: u64) -> Duration {
    const LONGEST: Duration = Duration::from_millis(250);
    let left = accepted.saturating_sub(done) as f64 / done.max(1) as f64;
    so_far.mul_f64((left / 4.0).min(1.0)).min(LONGEST).max(every)
}

fn find(value: &Value, field: &str) -> Option<u64> {
    match value {
        Value::Object(map) => map
            .get(field)
            .and_then(Value::as_u64)
            .or_else(|| map.values().find_map(|value| find(value, field))),
        Value::Array(items) => items.iter().find_map(|value| find(value, field)),
        _ => None,
    }
}

/// A percentile of sorted numbers; 0 of none.
pub fn percentile(sorted: &[f64], p: f64) -> f64 {
    let place = (sorted.len() as f64 * p) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// The median of numbers in any order; 0 of none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => 0.0,
        n if n % 2 == 1 => numbers[middle],
        _ => (numbers[middle - 1] + numbers[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((percentile(&hundred, 0.5), percentile(&hundred, 0.99)), (51.0, 100.0));
        assert_eq!(percentile(&[], 0.99), 0.0);
    }

    #[test]
    fn the_more_is_left_the_longer_is_the_pause() {
        let (every, so_far) = (Duration::from_millis(5), Duration::from_secs(1));
        assert_eq!(pause(every, so_far, 0, 100), Duration::from_millis(250));
        assert_eq!(pause(every, so_far, 80, 100), Duration::from_micros(62_500));
        assert_eq!(pause(every, so_far, 100, 100), every);
    }

    #[test]
    fn counts_are_found_at_any_depth() {
        let body = serde_json::json!({"rows": [{"a": 1}, {"done": 7}]});
        assert_eq!(find(&body, "done"), Some(7));
        assert_eq!(find(&body, "none"), None);
    }
}
