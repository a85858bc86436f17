//! Budgets: slices never hold more than the limit, and what was spent is counted once, whoever dies.

use agenticai_domain::budget::{Amount, BudgetLimits, BudgetPeriod, BudgetScope};
use agenticai_domain::ids::{AgentId, BudgetId, TaskId, UserId};
use agenticai_domain::usage::NanoUsd;
use agenticai_store::*;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Lab;
use super::lab::{RunExt, child_of, completed, entry, new_task, run, spend, wait};

const DAY_MS: i64 = 86_400_000;

impl Lab {
    fn new_budget(&self, name: &str, scope: BudgetScope, max_tokens: u64) -> NewBudget {
        NewBudget {
            id: BudgetId(Uuid::now_v7()),
            tenant: self.tenant,
            name: Some(name.to_owned()),
            scope,
            period: BudgetPeriod::Total,
            limits: BudgetLimits { max_tokens: Some(max_tokens), max_cost: None },
            created_by: Some(self.owner.user),
        }
    }

    async fn store_budget(&self, new: NewBudget) -> BudgetRow {
        match self.store.create_budget(new).await.unwrap() {
            CreateBudget::Stored(row) => *row,
            other => panic!("the budget was not stored: {other:?}"),
        }
    }

    /// A budget of the tenant.
    async fn budget_of(&self, max_tokens: u64) -> BudgetRow {
        self.store_budget(self.new_budget("all", BudgetScope::Tenant, max_tokens)).await
    }

    /// Spent and reserved.
    async fn sums(&self, budget: BudgetId) -> (u64, u64) {
        let row =
            self.store.budget(self.tenant, BudgetSelector::Id(budget)).await.unwrap().expect("it exists");
        (row.spent.tokens, row.reserved.tokens)
    }

    async fn draw(&self, worker: WorkerId, budget: BudgetId, need: u64) -> Draw {
        self.store.draw(worker, request(budget, need)).await.unwrap()
    }
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens, cost: NanoUsd(0) }
}

fn request(budget: BudgetId, need: u64) -> DrawRequest {
    let need = tokens(need);
    DrawRequest { budget, period_start: 0, need, want: need, spent_already: false }
}

fn charge(budget: BudgetId, amount: u64) -> Charge {
    Charge { budget, period_start: 0, amount: tokens(amount) }
}

/// What was written is there, by id and by name, and sent again it is the same.
pub async fn a_budget_reads_back(lab: Lab) {
    let new = NewBudget {
        period: BudgetPeriod::Month,
        limits: BudgetLimits { max_tokens: None, max_cost: Some(NanoUsd(5)) },
        ..lab.new_budget("bees", BudgetScope::Agent(lab.agent), 0)
    };
    let row = lab.store_budget(new.clone()).await;
    assert_eq!((row.id, row.tenant, row.name.as_deref()), (new.id, lab.tenant, Some("bees")));
    assert_eq!((row.scope, row.period, row.limits), (new.scope, new.period, new.limits));
    assert_eq!((row.spent, row.reserved), (Amount::default(), Amount::default()));
    assert_eq!(
        (row.created_by, row.period_start),
        (Some(lab.owner.user), new.period.start_of(row.created_at))
    );
    for which in [BudgetSelector::Id(row.id), BudgetSelector::from("bees")] {
        assert_eq!(lab.store.budget(lab.tenant, which).await.unwrap().as_ref(), Some(&row));
    }
    assert_eq!(lab.store_budget(new).await, row);
    let again = lab.store.create_budget(lab.new_budget("bees", BudgetScope::Tenant, 1)).await.unwrap();
    assert_eq!(again, CreateBudget::NameTaken);
    for scope in [BudgetScope::Agent(AgentId(Uuid::nil())), BudgetScope::User(UserId(Uuid::nil()))] {
        let refused = lab.store.create_budget(lab.new_budget("other", scope, 1)).await.unwrap();
        assert_eq!(refused, CreateBudget::NoSubject);
    }
    assert_eq!(lab.store.budgeted_tenants().await.unwrap(), [lab.tenant]);
    assert!(lab.store.delete_budget(lab.tenant, "bees".into()).await.unwrap());
    assert!(!lab.store.delete_budget(lab.tenant, "bees".into()).await.unwrap());
    assert_eq!(lab.store.budgeted_tenants().await.unwrap(), []);
}

/// By name, each once; those of tasks are not among them.
pub async fn budgets_are_paged_by_name(lab: Lab) {
    for name in ["d", "b", "e", "a", "c"] {
        lab.store_budget(lab.new_budget(name, BudgetScope::Tenant, 1)).await;
    }
    let task = TaskId(Uuid::now_v7());
    let of_task = NewBudget { name: None, ..lab.new_budget("", BudgetScope::Task(task), 1) };
    lab.store_budget(of_task).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = lab.store.list_budgets(lab.tenant, cursor, 2).await.unwrap();
        seen.extend(page.items.into_iter().filter_map(|row| row.name));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
}

/// A task is paid for by its own budget, its agent's, its user's and its tenant's, and by those of the tasks above it.
pub async fn a_child_is_paid_for_by_its_parents_budgets(lab: Lab) {
    let other_agent = match lab.store.create_agent(super::lab::new_agent(lab.tenant, "helper")).await.unwrap()
    {
        CreateAgent::Created(version) => version.id,
        CreateAgent::Exists => panic!("the name is free"),
    };
    let task = agenticai_domain::task::NewTask { created_by: Some(lab.owner.user), ..lab.new_task() };
    let own = BudgetId(task.id.0);
    let mut expected = vec![own];
    lab.store_budget(NewBudget { id: own, name: None, ..lab.new_budget("", BudgetScope::Task(task.id), 1) })
        .await;
    for (name, scope) in [
        ("all", BudgetScope::Tenant),
        ("bees", BudgetScope::Agent(lab.agent)),
        ("owner", BudgetScope::User(lab.owner.user)),
    ] {
        expected.push(lab.store_budget(lab.new_budget(name, scope, 1)).await.id);
    }
    let helpers = lab.store_budget(lab.new_budget("helpers", BudgetScope::Agent(other_agent), 1)).await.id;
    expected.sort();
    let payers = |task: TaskId| {
        let store = lab.store.clone();
        async move {
            let payers = store.payers(lab.tenant, task).await.unwrap();
            payers.into_iter().map(|payer| payer.id).collect::<Vec<_>>()
        }
    };
    lab.create(task.clone()).await;
    assert_eq!(payers(task.id).await, expected);

    let worker = lab.worker().await;
    let claimed = lab.claim_one(worker).await;
    assert!(claimed.budgeted);
    let child = agenticai_domain::task::NewTask { agent: other_agent, ..child_of(&claimed, 0) };
    let with = run(&claimed, 1, vec![entry("a child")]).with_children(vec![child.clone()]);
    lab.accept(worker, with).await;
    expected.push(helpers);
    expected.sort();
    assert_eq!(payers(child.id).await, expected);

    let (tenant, agent) = lab.other_tenant().await;
    let foreign = lab.create(new_task(tenant, agent)).await.head.id;
    assert_eq!(lab.store.payers(tenant, foreign).await.unwrap(), []);
    assert_eq!(lab.store.payers(lab.tenant, foreign).await.unwrap().len(), 1, "nothing but the tenant's own");
    let claimed = lab.store.claim(worker, 10.into()).await.unwrap();
    assert!(claimed.iter().all(|claimed| claimed.budgeted == (claimed.head.tenant == lab.tenant)));
}

/// However many draw at once, what is granted stays within the limit; and it is used up.
pub async fn concurrent_draws_stay_within_the_limit(lab: Lab) {
    let budget = lab.budget_of(1_000).await.id;
    let mut workers = Vec::new();
    for _ in 0..4 {
        workers.push(lab.worker().await);
    }
    let mut drawing = JoinSet::new();
    for i in 0..64 {
        let (store, worker) = (lab.store.clone(), workers[i % 4]);
        drawing.spawn(async move { store.draw(worker, request(budget, 30)).await.unwrap() });
    }
    let draws = drawing.join_all().await;
    let granted = draws.iter().filter(|draw| matches!(draw, Draw::Granted(_))).count();
    assert_eq!(granted, 33, "33 times 30 fit into 1,000");
    for draw in draws.iter().filter(|draw| !matches!(draw, Draw::Granted(_))) {
        let Draw::Short { open, spent, limits } = *draw else { panic!("{draw:?}") };
        assert!(open && spent.is_zero() && limits.max_tokens == Some(1_000));
    }
    assert_eq!(lab.sums(budget).await, (0, 990));
}

/// More than is needed is granted where there is plenty, and less the nearer the limit is.
pub async fn what_is_granted_shrinks_towards_the_limit(lab: Lab) {
    let budget = lab.budget_of(1_700).await.id;
    let worker = lab.worker().await;
    let wish = DrawRequest { want: tokens(1_000), ..request(budget, 100) };
    assert_eq!(lab.store.draw(worker, wish).await.unwrap(), Draw::Granted(tokens(200)));
    let exact = DrawRequest { want: tokens(1_000), ..request(budget, 1_490) };
    assert_eq!(lab.store.draw(worker, exact).await.unwrap(), Draw::Granted(tokens(1_690)));
    // Both parts have to fit.
    let cost = BudgetLimits { max_tokens: None, max_cost: Some(NanoUsd(7)) };
    let new = NewBudget { limits: cost, ..lab.new_budget("money", BudgetScope::Tenant, 0) };
    let money = lab.store_budget(new).await.id;
    let need = Amount { tokens: 1_000_000, cost: NanoUsd(8) };
    let much = DrawRequest { need, want: need, ..request(money, 0) };
    assert!(matches!(lab.store.draw(worker, much).await.unwrap(), Draw::Short { open: false, .. }));
}

/// What was given back can be drawn by others; what was spent cannot be given back.
pub async fn what_is_given_back_can_be_drawn(lab: Lab) {
    let budget = lab.budget_of(100).await.id;
    let (worker, claimed) = lab.running().await;
    let other = lab.worker().await;
    assert_eq!(lab.draw(worker, budget, 80).await, Draw::Granted(tokens(80)));
    let mut spending = run(&claimed, 1, vec![entry("spends")]);
    spending.charges = vec![charge(budget, 30)];
    lab.accept(worker, spending).await;
    assert_eq!(lab.sums(budget).await, (30, 50));
    assert!(matches!(lab.draw(other, budget, 40).await, Draw::Short { open: true, .. }));
    let keep = |amount| vec![Keep { budget, period_start: 0, amount: tokens(amount) }];
    lab.store.give_back(worker, keep(50)).await.unwrap();
    assert_eq!(lab.sums(budget).await, (30, 20));
    // Sent again, and asked for more than can be.
    lab.store.give_back(worker, keep(50)).await.unwrap();
    lab.store.give_back(worker, keep(0)).await.unwrap();
    assert_eq!(lab.sums(budget).await, (30, 0));
    assert_eq!(lab.draw(other, budget, 70).await, Draw::Granted(tokens(70)));
    lab.store.give_back(other, keep(0)).await.unwrap();
    assert!(matches!(
        lab.draw(other, budget, 71).await,
        Draw::Short { open: false, spent, .. } if spent == tokens(30)
    ));
    // What is spent already is counted whatever the limit says.
    let beyond = DrawRequest { spent_already: true, ..request(budget, 90) };
    assert_eq!(lab.store.draw(other, beyond).await.unwrap(), Draw::Granted(tokens(90)));
}

/// A run is paid for once: not again when it is sent again, and not at all when it is refused.
pub async fn a_run_is_paid_for_once(lab: Lab) {
    let budget = lab.budget_of(1_000).await.id;
    let (worker, claimed) = lab.running().await;
    lab.draw(worker, budget, 500).await;
    let mut spending = run(&claimed, 1, vec![entry("spends")]);
    spending.charges = vec![charge(budget, 30), charge(budget, 5)];
    lab.accept(worker, spending.clone()).await;
    assert!(matches!(lab.append(worker, spending).await, AppendOutcome::AlreadyMine { .. }));
    assert_eq!(lab.sums(budget).await, (35, 465));
    lab.signal(claimed.head.id, "go").await;
    let mut refused = run(&claimed, 2, vec![entry("waits")]).then(wait(0, None));
    refused.charges = vec![charge(budget, 100)];
    let neighbour = lab.create(lab.new_task()).await;
    let neighbour = {
        assert!(!neighbour.status.is_terminal());
        lab.claim_one(worker).await
    };
    let mut good = run(&neighbour, 1, vec![entry("neighbour")]);
    good.charges = vec![charge(budget, 7)];
    let outcomes = lab.store.append(worker, vec![refused, good]).await.unwrap();
    assert_eq!(outcomes[0], AppendOutcome::InboxMoved);
    assert!(matches!(outcomes[1], AppendOutcome::Accepted { .. }));
    assert_eq!(lab.sums(budget).await, (42, 458));
    let mut last =
        run(&neighbour, 2, vec![entry("ends")]).then(Then::End { end: completed("x"), spend: spend(1) });
    last.charges = vec![charge(budget, 1)];
    lab.accept(worker, last).await;
    assert_eq!(lab.sums(budget).await, (43, 457));
}

/// A worker's death keeps what it has spent and frees the rest; so does its retirement.
pub async fn a_dead_workers_slice_is_settled(lab: Lab) {
    let budget = lab.budget_of(1_000).await.id;
    let (worker, claimed) = lab.running().await;
    lab.draw(worker, budget, 500).await;
    let mut spending = run(&claimed, 1, vec![entry("spends")]);
    spending.charges = vec![charge(budget, 30)];
    lab.accept(worker, spending.clone()).await;
    assert_eq!(lab.kill(worker).await, 1);
    assert_eq!(lab.sums(budget).await, (30, 0));
    assert_eq!(lab.draw(worker, budget, 1).await, Draw::Fenced);
    assert_eq!(
        lab.append(worker, spending).await,
        AppendOutcome::AlreadyMine { at: lab.first_at(claimed.head.id).await }
    );
    let second = lab.worker().await;
    assert_eq!(lab.draw(second, budget, 970).await, Draw::Granted(tokens(970)));
    lab.store.retire_worker(second).await.unwrap();
    lab.store.take_over(10).await.unwrap();
    assert_eq!(lab.sums(budget).await, (30, 0));
}

impl Lab {
    async fn first_at(&self, task: TaskId) -> i64 {
        self.store.read_journal(self.tenant, task, 0, 1).await.unwrap()[0].at
    }
}

/// The first draw of a new period begins it; the one before is counted apart.
pub async fn a_new_period_begins_with_nothing_spent(lab: Lab) {
    let new = NewBudget { period: BudgetPeriod::Day, ..lab.new_budget("daily", BudgetScope::Tenant, 100) };
    let row = lab.store_budget(new).await;
    let (worker, claimed) = lab.running().await;
    let today = DrawRequest { period_start: row.period_start, ..request(row.id, 100) };
    let tomorrow = DrawRequest { period_start: row.period_start + DAY_MS, ..today };
    assert_eq!(lab.store.draw(worker, today).await.unwrap(), Draw::Granted(tokens(100)));
    assert_eq!(lab.store.draw(worker, tomorrow).await.unwrap(), Draw::Granted(tokens(100)));
    assert_eq!(lab.store.draw(worker, today).await.unwrap(), Draw::Later(tomorrow.period_start));
    let mut spending = run(&claimed, 1, vec![entry("spends")]);
    let of = |period_start, amount| Charge { budget: row.id, period_start, amount: tokens(amount) };
    spending.charges = vec![of(today.period_start, 60), of(tomorrow.period_start, 20)];
    lab.accept(worker, spending).await;
    assert_eq!(lab.sums(row.id).await, (20, 80));
    lab.kill(worker).await;
    assert_eq!(lab.sums(row.id).await, (20, 0));
}

/// Another limit binds from the next draw on; a budget that is gone binds nobody.
pub async fn limits_can_be_changed(lab: Lab) {
    let budget = lab.budget_of(100).await.id;
    let worker = lab.worker().await;
    lab.draw(worker, budget, 60).await;
    let limits = |tokens| BudgetLimits { max_tokens: tokens, max_cost: None };
    assert!(lab.store.limit_budget(lab.tenant, "all".into(), limits(Some(50))).await.unwrap());
    assert!(matches!(lab.draw(worker, budget, 1).await, Draw::Short { open: true, .. }));
    assert!(lab.store.limit_budget(lab.tenant, BudgetSelector::Id(budget), limits(None)).await.unwrap());
    assert!(matches!(lab.draw(worker, budget, 1_000_000).await, Draw::Granted(_)));
    assert!(lab.store.delete_budget(lab.tenant, BudgetSelector::Id(budget)).await.unwrap());
    assert_eq!(lab.draw(worker, budget, 1).await, Draw::Gone);
    lab.store.give_back(worker, vec![Keep { budget, period_start: 0, amount: tokens(0) }]).await.unwrap();
    assert!(!lab.store.limit_budget(lab.tenant, "all".into(), limits(None)).await.unwrap());
}

/// Nobody sees or changes another tenant's.
pub async fn budgets_belong_to_their_tenant(lab: Lab) {
    let budget = lab.budget_of(100).await.id;
    let (other, agent) = lab.other_tenant().await;
    for which in [BudgetSelector::Id(budget), BudgetSelector::from("all")] {
        assert_eq!(lab.store.budget(other, which.clone()).await.unwrap(), None);
        assert!(!lab.store.limit_budget(other, which.clone(), BudgetLimits::default()).await.unwrap());
        assert!(!lab.store.delete_budget(other, which).await.unwrap());
    }
    assert_eq!(lab.store.list_budgets(other, None, 10).await.unwrap().items, []);
    let foreign = NewBudget { tenant: other, ..lab.new_budget("theirs", BudgetScope::Agent(lab.agent), 1) };
    assert_eq!(lab.store.create_budget(foreign.clone()).await.unwrap(), CreateBudget::NoSubject);
    // A name belongs to its tenant.
    let same = NewBudget { name: Some("all".to_owned()), scope: BudgetScope::Agent(agent), ..foreign };
    assert!(matches!(lab.store.create_budget(same).await.unwrap(), CreateBudget::Stored(_)));
}
