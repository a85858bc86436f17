//! Budgets: reserved before a call, charged with its entry, given back by whoever dies.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenticai_agent::models::Bound;
use agenticai_domain::budget::{Amount, BudgetLimits, BudgetPeriod, BudgetScope};
use agenticai_domain::ids::BudgetId;
use agenticai_domain::journal::Entry;
use agenticai_domain::task::{End, TaskStatus, codes};
use agenticai_domain::usage::{NanoUsd, Spend, Usage};
use agenticai_store::{BudgetRow, BudgetSelector, Budgets, CreateBudget, NewBudget};
use agenticai_worker::WorkerConfig;
use uuid::Uuid;

use crate::bench::{Bench, Scripted, answer, config, eventually};

fn spend(tokens: u64, cost: i64) -> Spend {
    Spend { usage: Usage { input_tokens: tokens, ..Usage::default() }, cost: Some(NanoUsd(cost)) }
}

/// Calls that may take 100 tokens, take 40, and 7 where they are cut off.
fn priced(mut performer: Scripted) -> Scripted {
    let most = Amount { tokens: 100, cost: NanoUsd(1_000) };
    let bound = Bound { most, input_tokens: 60, priced: true, cut_off: spend(7, 70) };
    performer.cost = Some((bound, spend(40, 400)));
    performer
}

async fn budget(bench: &Bench, limits: BudgetLimits) -> BudgetId {
    let new = NewBudget {
        id: BudgetId(Uuid::now_v7()),
        tenant: bench.tenant,
        name: Some("all".into()),
        scope: BudgetScope::Tenant,
        period: BudgetPeriod::Month,
        limits,
        created_by: None,
    };
    let id = new.id;
    assert!(matches!(bench.store.create_budget(new).await.unwrap(), CreateBudget::Stored(_)));
    id
}

fn tokens(max: u64) -> BudgetLimits {
    BudgetLimits { max_tokens: Some(max), max_cost: None }
}

async fn row(bench: &Bench, budget: BudgetId) -> BudgetRow {
    bench.store.budget(bench.tenant, BudgetSelector::Id(budget)).await.unwrap().unwrap()
}

/// Waits until nothing is reserved any more, and answers what is spent.
async fn settled(bench: &Bench, budget: BudgetId) -> Amount {
    for _ in 0..1000 {
        let row = row(bench, budget).await;
        if row.reserved.is_zero() {
            return row.spent;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something stays reserved: {:?}", row(bench, budget).await);
}

/// A worker draws as many calls' worth at once as the operator says.
#[tokio::test]
async fn a_slice_is_as_large_as_the_operator_says() {
    for calls in [1, 16] {
        let bench = Bench::new().await;
        let budget = budget(&bench, tokens(100_000)).await;
        let mut performer = priced(Scripted::calling(&[]));
        performer.model = Box::new(|_, _| Box::pin(std::future::pending()));
        let config = WorkerConfig { budget_calls: calls, ..config() };
        let (worker, _) = bench.work_as(config, Arc::new(performer));
        bench.submit().await;
        let mut reserved = 0;
        for _ in 0..1000 {
            reserved = row(&bench, budget).await.reserved.tokens;
            if reserved > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(reserved, u64::from(calls) * 100);
        worker.lose();
    }
}

#[tokio::test]
async fn sixty_four_spenders_use_a_budget_up_and_no_more() {
    let bench = Bench::new().await;
    let budget = budget(&bench, tokens(1_000)).await;
    let mut performer = priced(Scripted::calling(&[]));
    performer.model = Box::new(|_, _| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            Ok(answer(&[]))
        })
    });
    let performer = Arc::new(performer);
    let workers = [bench.work(performer.clone()), bench.work(performer.clone())];
    let mut tasks = Vec::new();
    for _ in 0..64 {
        tasks.push(bench.submit().await);
    }
    let (mut completed, mut spent) = (0, 0);
    for task in tasks {
        let end = loop {
            let row = bench.row(task).await;
            if row.status.is_terminal() {
                spent += row.spend.usage.total();
                break row.end.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        match end {
            End::Completed { .. } => completed += 1,
            End::Failed { error } => {
                assert_eq!(error.code, codes::BUDGET_EXCEEDED);
                assert!(error.message.contains("`all`") && error.message.contains("of 1000"), "{error:?}");
            }
            End::Cancelled { .. } => panic!("nobody cancels"),
        }
    }
    // The 23rd finds 880 spent and needs 100; the 24th would find 920.
    assert_eq!((completed, spent), (23, 920));
    assert_eq!(settled(&bench, budget).await.tokens, 920);
    for worker in workers {
        worker.drain().await;
    }
}

#[tokio::test]
async fn a_call_waits_for_what_others_may_give_back() {
    let bench = Bench::new().await;
    let budget = budget(&bench, tokens(150)).await;
    let mut performer = priced(Scripted::calling(&[]));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = gate.clone();
    performer.model = Box::new(move |_, _| {
        let gate = opened.clone();
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            Ok(answer(&[]))
        })
    });
    let performer = Arc::new(performer);
    let worker = bench.work(performer.clone());
    let tasks = [bench.submit().await, bench.submit().await];
    eventually("one is asked", || performer.open.load(Ordering::SeqCst) == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(performer.open.load(Ordering::SeqCst), 1, "100 of 150 are reserved: the other one waits");
    gate.add_permits(2);
    for task in tasks {
        bench.until(task, TaskStatus::Completed).await;
    }
    assert_eq!(settled(&bench, budget).await.tokens, 80);
    worker.drain().await;
}

#[tokio::test]
async fn a_call_that_is_cut_off_by_a_stop_is_an_entry_and_charged() {
    let bench = Bench::new().await;
    let budget = budget(&bench, tokens(1_000)).await;
    let mut first = priced(Scripted::calling(&[]));
    first.model = Box::new(|_, _| Box::pin(std::future::pending()));
    let first = Arc::new(first);
    let worker = bench.work(first.clone());
    let task = bench.submit().await;
    eventually("the model is asked", || first.open.load(Ordering::SeqCst) == 1).await;
    worker.drain().await;
    assert_eq!(bench.row(task).await.status, TaskStatus::Pending);
    assert_eq!(row(&bench, budget).await.spent, Amount::from(spend(7, 70)));

    let worker = bench.work(Arc::new(priced(Scripted::calling(&[]))));
    let done = bench.until(task, TaskStatus::Completed).await;
    assert_eq!(done.spend.usage.total(), 47, "the estimate and the answer");
    let journal = bench.journal(task).await;
    let kinds: Vec<bool> =
        journal.iter().map(|r| matches!(&r.entry, Entry::TurnCut(cut) if cut.turn == 1)).collect();
    assert_eq!(kinds, [true, false]);
    assert_eq!(settled(&bench, budget).await, Amount::from(spend(47, 470)));
    worker.drain().await;
}

#[tokio::test]
async fn what_a_lost_worker_had_reserved_comes_back() {
    let bench = Bench::new().await;
    let budget = budget(&bench, tokens(120)).await;
    let mut lost = priced(Scripted::calling(&[]));
    lost.model = Box::new(|_, _| Box::pin(std::future::pending()));
    let lost = Arc::new(lost);
    let worker = bench.work(lost.clone());
    let task = bench.submit().await;
    eventually("the model is asked", || lost.open.load(Ordering::SeqCst) == 1).await;
    worker.lose();
    // 100 of 120 stay reserved until the death is noticed; the next owner's call needs them.
    let worker = bench.work(Arc::new(priced(Scripted::calling(&[]))));
    bench.until(task, TaskStatus::Completed).await;
    assert_eq!(settled(&bench, budget).await.tokens, 40);
    worker.drain().await;
}

#[tokio::test]
async fn a_bound_on_cost_refuses_what_has_no_price() {
    let bench = Bench::new().await;
    budget(&bench, BudgetLimits { max_tokens: None, max_cost: Some(NanoUsd(1_000_000)) }).await;
    let mut performer = priced(Scripted::calling(&[]));
    if let Some((bound, _)) = &mut performer.cost {
        bound.priced = false;
    }
    let worker = bench.work(Arc::new(performer));
    let task = bench.submit().await;
    let row = loop {
        let row = bench.row(task).await;
        if row.status.is_terminal() {
            break row;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(matches!(row.end, Some(End::Failed { error }) if error.code == codes::PRICE_UNKNOWN));
    worker.drain().await;
}

#[tokio::test]
async fn more_than_could_be_foreseen_is_charged_all_the_same() {
    let bench = Bench::new().await;
    let budget = budget(&bench, tokens(120)).await;
    let mut performer = priced(Scripted::calling(&[]));
    if let Some((_, spent)) = &mut performer.cost {
        *spent = spend(500, 5_000);
    }
    let worker = bench.work(Arc::new(performer));
    let task = bench.submit().await;
    bench.until(task, TaskStatus::Completed).await;
    assert_eq!(settled(&bench, budget).await.tokens, 500);
    worker.drain().await;
}
