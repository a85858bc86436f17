//! A message between the look into the inbox and the wait.

use agenticai_store::{AppendOutcome, DeliverOutcome, Journal, Tasks};
use agenticai_testkit::conformance::lab::{RunExt, entry, run, signal, wait};

use super::{Holder, places};
use crate::postgres::fixture::lab;

/// The message was first, although it is not committed yet: the wait that has not seen it is refused.
#[tokio::test]
async fn a_wait_is_refused_for_a_message_in_flight() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let (task, tenant) = (claimed.head.id, lab.tenant);
    let holder = Holder::hold(
        &options,
        &format!(
            "INSERT INTO inbox (task, id, at, tenant, bucket, dedupe)
             SELECT num, 99, 1, tenant, bucket, convert_to('go', 'UTF8') FROM tasks WHERE id = '{task}'"
        ),
    )
    .await;
    let sender = store.clone();
    let sent =
        tokio::spawn(
            async move { sender.deliver(tenant, task, "go".to_owned(), signal("go")).await.unwrap() },
        );
    holder.until_waited_for(1).await;
    let (appender, waits) = (store.clone(), run(&claimed, 1, vec![entry("look")]).then(wait(0, None)));
    let waiting = waits.clone();
    let append = tokio::spawn(async move { appender.append(worker, vec![waiting]).await.unwrap() });
    holder.until_waited_for(2).await;
    holder.vanish().await;
    assert_eq!(sent.await.unwrap(), DeliverOutcome::Delivered);
    assert_eq!(append.await.unwrap(), [AppendOutcome::InboxMoved]);
    assert!(lab.seqs(task).await.is_empty(), "nothing of the run went in");
    assert_eq!(places(&options, task).await, (0, 0, 1), "the worker still has it");
    lab.accept(worker, run(&claimed, 1, vec![entry("look again")]).then(wait(1, None))).await;
}

/// The wait was first: the message wakes it.
#[tokio::test]
async fn a_message_wakes_a_wait_in_flight() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let (task, tenant) = (claimed.head.id, lab.tenant);
    let holder = Holder::entry(&options, task, 1).await;
    let (appender, waits) = (store.clone(), run(&claimed, 1, vec![entry("look")]).then(wait(0, None)));
    let append = tokio::spawn(async move { appender.append(worker, vec![waits]).await.unwrap() });
    holder.until_waited_for(1).await;
    let sender = store.clone();
    let sent =
        tokio::spawn(
            async move { sender.deliver(tenant, task, "go".to_owned(), signal("go")).await.unwrap() },
        );
    holder.until_waited_for(2).await;
    holder.vanish().await;
    assert!(matches!(append.await.unwrap()[..], [AppendOutcome::Accepted { .. }]));
    assert_eq!(sent.await.unwrap(), DeliverOutcome::Delivered);
    assert_eq!(places(&options, task).await, (0, 1, 0), "it is ready");
    let again = lab.claim_one(worker).await;
    assert_eq!((again.last_seq, again.inbox_seq), (1, 1));
}
