//! A database whose clock jumps.

use agenticai_domain::task::TaskStatus;
use agenticai_store::postgres::{Connection, PostgresOptions, PostgresStore};
use agenticai_store::{Beat, Leases, Maintenance, PausedTasks};
use agenticai_testkit::conformance::lab::{RunExt, entry, run, wait};

use super::fixture::lab;

const HOUR: i64 = 3_600_000;

/// Lets the database's clock be off by so many milliseconds. Every function reads it through this one.
async fn jump(options: &PostgresOptions, by: i64) {
    let sql = format!(
        "CREATE OR REPLACE FUNCTION clock_ms(floor bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
             SELECT greatest(floor, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + {by})
         $$"
    );
    Connection::open(options).await.unwrap().script(&sql).await.unwrap();
}

/// An entry must not be dated after it was committed: the checker of the fault runs compares it with what came next.
#[tokio::test]
async fn no_time_lies_ahead() {
    let (_lab, _, options) = lab().await;
    let connection = Connection::open(&options).await.unwrap();
    for _ in 0..100 {
        let sql = "SELECT s.at <= extract(epoch FROM clock_timestamp()) * 1000 FROM (SELECT clock_ms(0) AS at OFFSET 0) AS s";
        assert!(connection.rows(sql, &[]).await.unwrap()[0].get::<_, bool>(0));
    }
}

/// Timers and deadlines ring early, and nobody dies: a lease counts beats.
#[tokio::test]
async fn a_clock_that_jumps_ahead_rings_timers_and_kills_nobody() {
    let (lab, store, options) = lab().await;
    let before = lab.store.now().await.unwrap();
    let (worker, waits) = lab.waiting(Some(before + HOUR / 2)).await;
    let (_, later) = lab.waiting(Some(before + 2 * HOUR)).await;
    lab.create(lab.new_task()).await;
    let held = lab.claim_one(worker).await;
    assert_eq!(store.wake_due(10).await.unwrap(), 0);
    let seen = store.observe_workers().await.unwrap();
    jump(&options, HOUR).await;
    let now = store.now().await.unwrap();
    assert!(now >= before + HOUR);
    assert!(matches!(store.beat(worker).await.unwrap(), Beat::Alive { .. }));
    for other in seen.into_iter().filter(|other| other.worker == worker) {
        assert!(!store.mark_dead(worker, other.beats).await.unwrap(), "its counter has moved");
    }
    assert!(lab.accept(worker, run(&held, 1, vec![entry("a")])).await >= now);
    assert_eq!(store.wake_due(10).await.unwrap(), 1);
    assert_eq!(lab.row(waits).await.status, TaskStatus::Pending);
    assert_eq!(lab.row(later).await.status, TaskStatus::Waiting);
}

/// Time stands still for everybody until the clock has caught up: nothing is dated before what it follows, work goes on,
/// and timers ring late by as much as the clock went back.
#[tokio::test]
async fn a_clock_that_jumps_back_stands_still() {
    let (lab, store, options) = lab().await;
    jump(&options, HOUR).await;
    let (worker, held) = lab.running().await;
    let first = lab.accept(worker, run(&held, 1, vec![entry("a")])).await;
    jump(&options, 0).await;
    assert!(store.now().await.unwrap() >= first);
    let second = lab.accept(worker, run(&held, 2, vec![entry("b")])).await;
    assert!((first..first + 60_000).contains(&second), "{first}, then {second}");
    assert!(matches!(store.beat(worker).await.unwrap(), Beat::Alive { now } if now >= second));
    // A process that starts now learns from the newest beat what time it was.
    let fresh = PostgresStore::connect(options).await.unwrap();
    let info = agenticai_store::WorkerInfo { name: "fresh".to_owned(), reads_format: 1 };
    fresh.register_worker(info).await.unwrap();
    assert!(fresh.now().await.unwrap() >= first);
    // Claims, waits and releases do not depend on the time that passes.
    lab.accept(worker, run(&held, 3, vec![entry("c")]).then(wait(0, Some(second + 1_000)))).await;
    assert_eq!(store.wake_due(10).await.unwrap(), 0, "not before its time");
    lab.signal(held.head.id, "go").await;
    let again = lab.claim_one(worker).await;
    assert_eq!(again.last_seq, 3);
    lab.create(lab.new_task()).await;
    lab.claim_one(worker).await;
    assert_eq!(store.release_paused(PausedTasks::All).await.unwrap(), 0);
}
