//! Takeover against appends, and appends whose answer is lost.

use std::time::Duration;

use agenticai_store::Then;
use agenticai_store::postgres::{PostgresOptions, PostgresStore};
use agenticai_store::{AppendOutcome, Journal, Leases, StoreError};
use agenticai_testkit::conformance::lab::{RunExt, completed, entry, run, spend};
use agenticai_testkit::servers::postgres::shared;
use agenticai_testkit::servers::proxy::Proxy;

use super::Holder;
use crate::postgres::fixture::lab;

/// An append stands between its lock and its commit. The death is written at once; the takeover waits, and whoever goes
/// on sees the entry.
#[tokio::test]
async fn a_takeover_waits_for_an_append_in_flight_and_sees_its_entry() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let holder = Holder::entry(&options, claimed.head.id, 1).await;
    let (appender, committed) = (store.clone(), run(&claimed, 1, vec![entry("in flight")]));
    let append = tokio::spawn(async move { appender.append(worker, vec![committed]).await.unwrap() });
    holder.until_waited_for(1).await;

    let beats = store.observe_workers().await.unwrap()[0].beats;
    let dying = tokio::time::timeout(Duration::from_millis(500), store.mark_dead(worker, beats)).await;
    assert!(dying.expect("a death waits for an append").unwrap());
    let reaper = store.clone();
    let takeover = tokio::spawn(async move { reaper.take_over(10).await.unwrap() });
    holder.until_waited_for(2).await;
    assert!(!takeover.is_finished(), "it did not wait");

    holder.vanish().await;
    assert!(matches!(append.await.unwrap()[..], [AppendOutcome::Accepted { .. }]));
    assert_eq!(takeover.await.unwrap(), 1);
    let heir = lab.worker().await;
    let after = lab.claim_one(heir).await;
    assert_eq!(after.last_seq, 1, "the entry is not seen");
    lab.accept(heir, run(&after, 2, vec![entry("goes on")])).await;
}

/// The same with a run that ends its task: nothing is left to take over.
#[tokio::test]
async fn a_takeover_waits_for_an_end_in_flight() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let task = claimed.head.id;
    let holder = Holder::hold(&options, &format!("SELECT 1 FROM tasks WHERE id = '{task}' FOR UPDATE")).await;
    let end = Then::End { end: completed("done"), spend: spend(1) };
    let (appender, last) = (store.clone(), run(&claimed, 1, vec![entry("last")]).then(end));
    let append = tokio::spawn(async move { appender.append(worker, vec![last]).await.unwrap() });
    holder.until_waited_for(1).await;
    let beats = store.observe_workers().await.unwrap()[0].beats;
    assert!(store.mark_dead(worker, beats).await.unwrap());
    let reaper = store.clone();
    let takeover = tokio::spawn(async move { reaper.take_over(10).await.unwrap() });
    holder.until_waited_for(2).await;
    holder.vanish().await;
    assert!(matches!(append.await.unwrap()[..], [AppendOutcome::Accepted { .. }]));
    assert_eq!(takeover.await.unwrap(), 0);
    assert_eq!(super::places(&options, task).await, (3, 0, 0));
    drop(lab);
}

/// A reaper does not wait for ever for an append that hangs: it tries again later.
#[tokio::test]
async fn a_takeover_gives_up_on_an_append_that_hangs() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let holder = Holder::entry(&options, claimed.head.id, 1).await;
    let (appender, hanging) = (store.clone(), run(&claimed, 1, vec![entry("hangs")]));
    let append = tokio::spawn(async move { appender.append(worker, vec![hanging]).await.unwrap() });
    holder.until_waited_for(1).await;
    let beats = store.observe_workers().await.unwrap()[0].beats;
    assert!(store.mark_dead(worker, beats).await.unwrap());
    assert!(matches!(store.take_over(10).await, Err(StoreError::Unavailable(_))), "it waited to the end");
    holder.vanish().await;
    append.await.unwrap();
    assert_eq!(store.take_over(10).await.unwrap(), 1);
    drop(lab);
}

/// An append that began before a takeover, and waits for it, is refused: a check by its first snapshot would let it in.
#[tokio::test]
async fn a_zombies_append_that_began_before_the_takeover_is_fenced() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let id = worker.0;
    let holder = Holder::hold(&options, &format!("SELECT 1 FROM workers WHERE id = {id} FOR UPDATE")).await;
    let (appender, late) = (store.clone(), run(&claimed, 1, vec![entry("late")]));
    let append = tokio::spawn(async move { appender.append(worker, vec![late]).await.unwrap() });
    holder.until_waited_for(1).await;
    holder.perform(&format!("UPDATE workers SET state = 1 WHERE id = {id}")).await;
    holder.commit().await;
    assert_eq!(append.await.unwrap(), [AppendOutcome::Fenced]);
    assert!(lab.seqs(claimed.head.id).await.is_empty());
    assert_eq!(store.take_over(10).await.unwrap(), 1);
}

/// A store behind a proxy, beside the one of the lab.
async fn cut_off_store(options: &PostgresOptions) -> (PostgresStore, Proxy) {
    let port = shared().await.unwrap().port();
    let proxy = Proxy::start(port).await.unwrap();
    let url = options.url.replace(&port.to_string(), &proxy.port().to_string());
    (PostgresStore::connect(PostgresOptions { url, ..options.clone() }).await.unwrap(), proxy)
}

/// The commit happens and its answer is lost: sent again, the run recognizes itself.
#[tokio::test]
async fn an_append_whose_answer_was_lost_is_already_mine() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let (far, proxy) = cut_off_store(&options).await;
    let holder = Holder::entry(&options, claimed.head.id, 1).await;
    let sent = run(&claimed, 1, vec![entry("a"), entry("b")]);
    let (appender, first) = (far.clone(), sent.clone());
    let append = tokio::spawn(async move { appender.append(worker, vec![first]).await });
    holder.until_waited_for(1).await;
    // From here on nothing comes back, and the commit is made.
    proxy.stall();
    holder.vanish().await;
    while lab.seqs(claimed.head.id).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    proxy.cut();
    assert!(matches!(append.await.unwrap(), Err(StoreError::Unavailable(_))));
    proxy.resume();
    let again = far.append(worker, vec![sent.clone()]).await.unwrap();
    assert!(matches!(again[..], [AppendOutcome::AlreadyMine { .. }]), "{again:?}");
    assert_eq!(store.append(worker, vec![sent]).await.unwrap(), again, "whoever asks");
    assert_eq!(lab.seqs(claimed.head.id).await, [1, 2]);
}

/// The connection is lost while the old backend is still at it: the resend waits for that, and does not decide by
/// what can be read meanwhile.
#[tokio::test]
async fn a_resend_waits_for_the_backend_that_still_has_the_first_one() {
    let (lab, store, options) = lab().await;
    let (worker, claimed) = lab.running().await;
    let (far, proxy) = cut_off_store(&options).await;
    let holder = Holder::entry(&options, claimed.head.id, 1).await;
    let sent = run(&claimed, 1, vec![entry("a")]);
    let (appender, first) = (far.clone(), sent.clone());
    let append = tokio::spawn(async move { appender.append(worker, vec![first]).await });
    holder.until_waited_for(1).await;
    proxy.cut();
    assert!(matches!(append.await.unwrap(), Err(StoreError::Unavailable(_))));
    let (resender, second) = (store.clone(), sent.clone());
    let resend = tokio::spawn(async move { resender.append(worker, vec![second]).await.unwrap() });
    holder.until_waited_for(2).await;
    holder.vanish().await;
    let outcome = resend.await.unwrap();
    let is_in = |outcome: &AppendOutcome| {
        matches!(outcome, AppendOutcome::AlreadyMine { .. } | AppendOutcome::Accepted { .. })
    };
    assert!(outcome.iter().all(is_in), "{outcome:?}");
    assert_eq!(lab.seqs(claimed.head.id).await, [1]);
    assert!(matches!(lab.append(worker, sent).await, AppendOutcome::AlreadyMine { .. }));
}
