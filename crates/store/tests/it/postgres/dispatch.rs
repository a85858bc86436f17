//! Who is given what: tenants share, and tasks that crash workers are set apart.

use agenticai_domain::ids::TenantId;
use agenticai_store::postgres::Connection;
use agenticai_store::{Claimed, Isolation, Suspects, Wanted, WorkerId, WorkerInfo};
use agenticai_testkit::conformance::Lab;
use agenticai_testkit::conformance::lab::{entry, new_task, run};

use super::fixture::lab;

async fn fill(lab: &Lab, other: TenantId, theirs: agenticai_domain::ids::AgentId) {
    for _ in 0..20 {
        lab.create(lab.new_task()).await;
    }
    for _ in 0..3 {
        lab.create(new_task(other, theirs)).await;
    }
}

fn of(claimed: &[Claimed], tenant: TenantId) -> usize {
    claimed.iter().filter(|claimed| claimed.head.tenant == tenant).count()
}

/// A tenant that comes later is not behind everything that another has queued.
#[tokio::test]
async fn tenants_take_turns() {
    let (lab, ..) = lab().await;
    let (other, agent) = lab.other_tenant().await;
    fill(&lab, other, agent).await;
    let worker = lab.worker().await;
    let claimed = lab.store.claim(worker, 6.into()).await.unwrap();
    assert_eq!((of(&claimed, lab.tenant), of(&claimed, other)), (3, 3));
}

/// Whoever holds the fewest comes first, and whoever has enough gets nothing.
#[tokio::test]
async fn whoever_holds_the_fewest_comes_first() {
    let (lab, ..) = lab().await;
    let (other, agent) = lab.other_tenant().await;
    fill(&lab, other, agent).await;
    let worker = lab.worker().await;
    let wanted = Wanted { limit: 3, busy: vec![(lab.tenant, 10)], ..Wanted::default() };
    let claimed = lab.store.claim(worker, wanted).await.unwrap();
    assert_eq!((of(&claimed, lab.tenant), of(&claimed, other)), (0, 3));
    let wanted = Wanted { limit: 3, sated: vec![lab.tenant], ..Wanted::default() };
    assert!(lab.store.claim(worker, wanted).await.unwrap().is_empty());
    assert_eq!(lab.store.claim(worker, 30.into()).await.unwrap().len(), 20);
}

async fn crash(lab: &Lab, limit: Wanted) -> Vec<Claimed> {
    let worker = lab.worker().await;
    let claimed = lab.store.claim(worker, limit).await.unwrap();
    lab.kill(worker).await;
    claimed
}

async fn named(lab: &Lab, name: &str) -> WorkerId {
    let info = WorkerInfo { name: name.to_owned(), reads_format: agenticai_domain::journal::READS_FORMAT };
    lab.store.register_worker(info).await.unwrap()
}

/// After two crashes without a step in between a task is given to nobody who holds others; a step clears it.
#[tokio::test]
async fn crashes_are_counted_until_a_step_is_committed() {
    let (lab, ..) = lab().await;
    lab.create(lab.new_task()).await;
    for _ in 0..3 {
        let worker = lab.worker().await;
        let claimed = lab.claim_one(worker).await;
        lab.accept(worker, run(&claimed, claimed.last_seq + 1, vec![entry("a step")])).await;
        lab.kill(worker).await;
    }
    assert_eq!(crash(&lab, 10.into()).await.len(), 1, "it has crashed once since its last step");
    assert!(crash(&lab, 10.into()).await.is_empty(), "and twice now");
    assert_eq!(suspects(&lab).await, [(Isolation::Together, 1)]);
    // Handed back, it is suspected no longer: a step was committed by a process that tried it.
    let worker = lab.worker().await;
    let claimed = lab.store.claim(worker, tried(Isolation::Together)).await.unwrap().remove(0);
    lab.store.release(worker, vec![claimed.head.id]).await.unwrap();
    assert_eq!(suspects(&lab).await, [(Isolation::Together, 1)], "it has committed nothing");
    let claimed = lab.store.claim(worker, tried(Isolation::Together)).await.unwrap().remove(0);
    lab.accept(worker, run(&claimed, claimed.last_seq + 1, vec![entry("a step")])).await;
    lab.store.release(worker, vec![claimed.head.id]).await.unwrap();
    assert_eq!(suspects(&lab).await, []);
    assert_eq!(lab.store.claim(worker, 10.into()).await.unwrap().len(), 1);
}

fn tried(isolation: Isolation) -> Wanted {
    Wanted { limit: 10, suspects: Some(isolation), ..Wanted::default() }
}

async fn suspects(lab: &Lab) -> Vec<(Isolation, u64)> {
    let found = lab.store.suspects().await.unwrap();
    assert_eq!(found.poison, []);
    found.ready.into_iter().collect()
}

/// Suspects are tried in less company with each crash that somebody saw, and with every other that nobody did.
#[tokio::test]
async fn suspects_are_tried_in_ever_less_company() {
    let (lab, ..) = lab().await;
    for _ in 0..3 {
        lab.create(lab.new_task()).await;
    }
    crash(&lab, 10.into()).await;
    crash(&lab, 10.into()).await;
    assert_eq!(suspects(&lab).await, [(Isolation::Together, 3)]);
    let (wanted, one) = (tried(Isolation::Together), Wanted { limit: 1, ..tried(Isolation::Together) });
    assert_eq!(crash(&lab, one).await.len(), 1, "nobody saw how it died");
    assert_eq!(suspects(&lab).await, [(Isolation::Together, 3)]);
    assert_eq!(crash(&lab, wanted.clone()).await.len(), 3);
    assert_eq!(suspects(&lab).await, [(Isolation::Together, 2), (Isolation::Few, 1)]);
    let together = named(&lab, "together").await;
    let claimed = lab.store.claim(together, wanted).await.unwrap();
    // One of them gets on, and is cleared by that.
    lab.accept(together, run(&claimed[0], claimed[0].last_seq + 1, vec![entry("a step")])).await;
    lab.store.crashed("together".to_owned(), Isolation::Together).await.unwrap();
    assert_eq!(lab.store.take_over(10).await.unwrap(), 2);
    assert_eq!(suspects(&lab).await, [(Isolation::Few, 2)]);
    let few = named(&lab, "few").await;
    assert_eq!(lab.store.claim(few, tried(Isolation::Few)).await.unwrap().len(), 2);
    lab.store.crashed("few".to_owned(), Isolation::Few).await.unwrap();
    assert_eq!(lab.store.take_over(10).await.unwrap(), 2);
    assert_eq!(suspects(&lab).await, [(Isolation::Alone, 2)]);
}

/// A suspect is tried alone as often as nobody sees it crash; once somebody has, it is poison.
#[tokio::test]
async fn only_a_task_that_crashes_alone_is_poison() {
    let (lab, ..) = lab().await;
    let neighbours = [lab.create(lab.new_task()).await.head.id, lab.create(lab.new_task()).await.head.id];
    crash(&lab, 10.into()).await;
    crash(&lab, 10.into()).await;
    for isolation in [Isolation::Together, Isolation::Few] {
        for _ in 0..2 {
            assert_eq!(crash(&lab, tried(isolation)).await.len(), 2);
        }
    }
    let wanted = Wanted { limit: 1, ..tried(Isolation::Alone) };
    assert_eq!(crash(&lab, wanted.clone()).await.len(), 1, "nobody saw how it died");
    assert_eq!(suspects(&lab).await, [(Isolation::Alone, 2)]);
    let alone = named(&lab, "alone").await;
    let claimed = lab.store.claim(alone, wanted.clone()).await.unwrap().remove(0);
    lab.store.crashed("somebody else".to_owned(), Isolation::Alone).await.unwrap();
    assert_eq!(lab.store.take_over(10).await.unwrap(), 0);
    lab.store.crashed("alone".to_owned(), Isolation::Alone).await.unwrap();
    assert_eq!(lab.store.take_over(10).await.unwrap(), 1);
    let ready = [(Isolation::Alone, 1)].into();
    let found = lab.store.suspects().await.unwrap();
    assert_eq!(found, Suspects { ready, poison: vec![(lab.tenant, claimed.head.id)] });
    let worker = lab.worker().await;
    let last = lab.store.claim(worker, tried(Isolation::Alone)).await.unwrap();
    assert_eq!(last.len(), 1, "poison is given to nobody");
    assert!(neighbours.contains(&last[0].head.id) && last[0].head.id != claimed.head.id);
}

/// However many suspects wait before it, poison is found.
#[tokio::test]
async fn poison_is_found_behind_any_number_of_suspects() {
    let (lab, _, options) = lab().await;
    for _ in 0..300 {
        lab.create(lab.new_task()).await;
    }
    let last = lab.create(lab.new_task()).await.head.id;
    let crash =
        "UPDATE ready SET crashes = CASE WHEN task = (SELECT max(task) FROM ready) THEN 1000 ELSE 4 END";
    Connection::open(&options).await.unwrap().script(crash).await.unwrap();
    let found = lab.store.suspects().await.unwrap();
    assert_eq!(found, Suspects { ready: [(Isolation::Few, 300)].into(), poison: vec![(lab.tenant, last)] });
}
