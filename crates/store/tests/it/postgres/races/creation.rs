//! Creation under the same keys from two processes at once.

use std::collections::BTreeMap;

use agenticai_domain::ids::TaskId;
use agenticai_store::postgres::PostgresStore;
use agenticai_store::{CreateTask, CreateTaskOutcome, Idempotency, Tasks};
use agenticai_testkit::conformance::Lab;
use tokio::task::JoinSet;

use super::Holder;
use crate::postgres::fixture::lab;

/// Keys in each batch.
const KEYS: usize = 60;

/// Two batches with the same keys in opposite order wait behind one key, and then go off together: no deadlock, and each
/// key has one task, which both are told.
#[tokio::test]
async fn batches_with_the_same_keys_in_another_order_do_not_deadlock() {
    let (lab, store, options) = lab().await;
    let other = PostgresStore::connect(options.clone()).await.unwrap();
    let tenant = lab.tenant;
    let holder = Holder::hold(
        &options,
        &format!(
            "INSERT INTO idempotency (tenant, key, body, task, bucket)
             SELECT num, convert_to('first', 'UTF8'), '', gen_random_uuid(), 0 FROM tenants WHERE id = '{tenant}'"
        ),
    )
    .await;
    // As many as a process has connections for creation wait behind the key; what comes after them gathers.
    let mut blocked = JoinSet::new();
    for one in [&store, &other] {
        for _ in 0..2 {
            let (one, create) = (one.clone(), create(&lab, "first"));
            blocked.spawn(async move { one.create_task(create).await.unwrap() });
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    holder.until_waited_for(2).await;
    let mut told = JoinSet::new();
    for n in 0..KEYS {
        for (one, n) in [(&store, n), (&other, KEYS - 1 - n)] {
            let key = format!("key-{n:03}");
            let (one, create) = (one.clone(), create(&lab, &key));
            told.spawn(async move { (key, one.create_task(create).await) });
        }
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    holder.vanish().await;
    let firsts: Vec<TaskId> = blocked.join_all().await.iter().map(id).collect();
    assert!(firsts.iter().all(|task| *task == firsts[0]), "{firsts:?}");
    let mut by_key: BTreeMap<String, Vec<TaskId>> = BTreeMap::new();
    for (key, outcome) in told.join_all().await {
        by_key.entry(key).or_default().push(id(&outcome.unwrap()));
    }
    assert_eq!(by_key.len(), KEYS);
    for (key, tasks) in by_key {
        assert!(tasks.len() == 2 && tasks[0] == tasks[1], "{key}: {tasks:?}");
    }
    let client = agenticai_store::postgres::Connection::open(&options).await.unwrap();
    let rows = client.rows("SELECT count(*), (SELECT count(*) FROM ready) FROM tasks", &[]).await.unwrap();
    let counted: (i64, i64) = (rows[0].get(0), rows[0].get(1));
    assert_eq!(counted, (KEYS as i64 + 1, KEYS as i64 + 1), "losers leave nothing behind");
}

fn create(lab: &Lab, key: &str) -> CreateTask {
    let idempotency = Some(Idempotency { key: key.to_owned(), body: [1; 32] });
    CreateTask { task: lab.new_task(), idempotency, thread: None }
}

fn id(outcome: &CreateTaskOutcome) -> TaskId {
    match outcome {
        CreateTaskOutcome::Created(row) | CreateTaskOutcome::Existing(row) => row.head.id,
        other => panic!("the bodies are equal, and there is no thread: {other:?}"),
    }
}
