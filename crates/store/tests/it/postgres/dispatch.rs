//! Who is given what: tenants share, and tasks that crash workers are set apart.

use agenticai_domain::ids::TenantId;
use agenticai_store::{Claimed, Suspects, Wanted, WorkerId, WorkerInfo};
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
    assert_eq!(lab.store.suspects().await.unwrap(), Suspects { ready: 1, poison: Vec::new() });
}

/// A suspect is tried alone as often as nobody sees it crash; once somebody has, it is poison.
#[tokio::test]
async fn only_a_task_that_crashes_alone_is_poison() {
    let (lab, ..) = lab().await;
    let neighbours = [lab.create(lab.new_task()).await.head.id, lab.create(lab.new_task()).await.head.id];
    crash(&lab, 10.into()).await;
    crash(&lab, 10.into()).await;
    assert_eq!(lab.store.suspects().await.unwrap().ready, 2);
    let suspects = Wanted { limit: 1, suspects: true, ..Wanted::default() };
    assert_eq!(crash(&lab, suspects.clone()).await.len(), 1, "nobody saw how it died");
    assert_eq!(lab.store.suspects().await.unwrap().ready, 2);
    let alone = named(&lab, "alone").await;
    let claimed = lab.store.claim(alone, suspects.clone()).await.unwrap().remove(0);
    lab.store.crashed_alone("somebody else".to_owned()).await.unwrap();
    assert_eq!(lab.store.take_over(10).await.unwrap(), 0);
    lab.store.crashed_alone("alone".to_owned()).await.unwrap();
    assert_eq!(lab.store.take_over(10).await.unwrap(), 1);
    let found = lab.store.suspects().await.unwrap();
    assert_eq!(found, Suspects { ready: 1, poison: vec![(lab.tenant, claimed.head.id)] });
    let worker = lab.worker().await;
    let last = lab.store.claim(worker, Wanted { limit: 10, ..suspects }).await.unwrap();
    assert_eq!(last.len(), 1, "poison is given to nobody");
    assert!(neighbours.contains(&last[0].head.id) && last[0].head.id != claimed.head.id);
}
