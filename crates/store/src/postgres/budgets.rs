//! Budgets as rows, and the workers' slices of them.

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use agenticai_domain::budget::{Amount, BudgetLimits};
use agenticai_domain::ids::{BudgetId, TaskId, TenantId, UserId};
use agenticai_domain::usage::NanoUsd;

use super::PostgresStore;
use super::connection::Param;
use super::rows::{count, get};
use crate::budgets::{
    limit_columns, limits_of, period_number, period_of, scope_numbers, scope_of, tokens_column,
};
use crate::{
    BudgetRow, BudgetSelector, Budgets, CreateBudget, Draw, DrawRequest, Keep, Leases, NewBudget, Page,
    Payer, Result, StoreError, WorkerId,
};

const SELECT: &str = "
    SELECT b.id, n.id, b.name, b.scope, b.subject, b.period, b.max_tokens, b.max_cost, b.period_start,
           (b.settled_tokens + s.spent_tokens)::bigint, (b.settled_cost + s.spent_cost)::bigint,
           greatest(0, b.taken_tokens - b.settled_tokens - s.spent_tokens)::bigint,
           greatest(0, b.taken_cost - b.settled_cost - s.spent_cost)::bigint, b.created_by, b.created_at
    FROM budgets b JOIN tenants n ON n.num = b.tenant CROSS JOIN LATERAL (
        SELECT coalesce(sum(s.spent_tokens), 0) AS spent_tokens, coalesce(sum(s.spent_cost), 0) AS spent_cost
        FROM budget_slices s WHERE s.budget = b.id AND s.period_start = b.period_start) s";

const PAYERS: &str = "
    WITH RECURSIVE line AS (
        SELECT t.num, t.id, t.parent, t.agent, t.tenant, t.created_by
        FROM tasks t JOIN tenants n ON n.num = t.tenant WHERE t.id = $2 AND n.id = $1
        UNION ALL
        SELECT t.num, t.id, t.parent, t.agent, t.tenant, t.created_by FROM tasks t JOIN line l ON t.num = l.parent
    ), subjects(scope, subject) AS (
        SELECT 0::smallint, $1
        UNION SELECT 1::smallint, a.id FROM agents a JOIN line l ON a.num = l.agent
        UNION SELECT 2::smallint, l.created_by FROM line l
        UNION SELECT 3::smallint, l.id FROM line l
    )
    SELECT b.id, coalesce(b.name, 'task ' || b.subject), b.period, b.max_tokens, b.max_cost
    FROM subjects w JOIN budgets b ON b.tenant = (SELECT num FROM tenants WHERE id = $1)
                                  AND b.scope = w.scope AND b.subject = w.subject
    ORDER BY b.id";

#[async_trait]
impl Budgets for PostgresStore {
    async fn create_budget(&self, new: NewBudget) -> Result<CreateBudget> {
        let (scope, subject) = scope_numbers(new.scope, new.tenant);
        let (max_tokens, max_cost) = limit_columns(new.limits)?;
        let start = new.period.start_of(self.now().await?);
        let row = self
            .inner
            .write
            .row(
                "SELECT create_budget($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                &[
                    (&self.inner.clock.get(), Type::INT8),
                    (&new.tenant.0, Type::UUID),
                    (&new.id.0, Type::UUID),
                    (&new.name, Type::TEXT),
                    (&scope, Type::INT2),
                    (&subject, Type::UUID),
                    (&period_number(new.period), Type::INT2),
                    (&start, Type::INT8),
                    (&max_tokens, Type::INT8),
                    (&max_cost, Type::INT8),
                    (&new.created_by.map(|user| user.0), Type::UUID),
                ],
            )
            .await?
            .ok_or_else(no_answer)?;
        match get::<i16>(&row, 0)? {
            0 => match self.budget(new.tenant, BudgetSelector::Id(new.id)).await? {
                Some(row) => Ok(CreateBudget::Stored(Box::new(row))),
                None => Err(StoreError::Unavailable(format!("the new budget {} is gone already", new.id))),
            },
            1 => Ok(CreateBudget::NameTaken),
            _ => Ok(CreateBudget::NoSubject),
        }
    }

    async fn budget(&self, tenant: TenantId, which: BudgetSelector) -> Result<Option<BudgetRow>> {
        let (id, name) = parts(which);
        let sql = format!("{SELECT} WHERE n.id = $1 AND (b.id = $2 OR b.name = $3)");
        let params = [(&tenant.0 as _, Type::UUID), (&id as _, Type::UUID), (&name as _, Type::TEXT)];
        self.inner.read.row(&sql, &params).await?.as_ref().map(read).transpose()
    }

    async fn list_budgets(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<BudgetRow>> {
        let limit = limit.max(1);
        let sql = format!(
            "{SELECT} WHERE n.id = $1 AND b.name IS NOT NULL AND ($2::text IS NULL OR b.name COLLATE \"C\" > $2)
             ORDER BY b.name COLLATE \"C\" LIMIT $3"
        );
        // One row more than asked for, to know whether more follow.
        let most = i64::from(limit) + 1;
        let params = [(&tenant.0 as _, Type::UUID), (&cursor as _, Type::TEXT), (&most as _, Type::INT8)];
        let rows = self.inner.read.rows(&sql, &params).await?;
        let items = rows.iter().take(limit as usize).map(read).collect::<Result<Vec<_>>>()?;
        let more = rows.len() > limit as usize;
        let next_cursor = if more { items.last().and_then(|row| row.name.clone()) } else { None };
        Ok(Page { items, next_cursor })
    }

    async fn limit_budget(
        &self,
        tenant: TenantId,
        which: BudgetSelector,
        limits: BudgetLimits,
    ) -> Result<bool> {
        let (id, name) = parts(which);
        let (max_tokens, max_cost) = limit_columns(limits)?;
        let sql = "UPDATE budgets b SET max_tokens = $4, max_cost = $5 FROM tenants n
                   WHERE n.num = b.tenant AND n.id = $1 AND (b.id = $2 OR b.name = $3) RETURNING b.num";
        let params: [Param<'_>; 5] = [
            (&tenant.0, Type::UUID),
            (&id, Type::UUID),
            (&name, Type::TEXT),
            (&max_tokens, Type::INT8),
            (&max_cost, Type::INT8),
        ];
        Ok(self.inner.write.row(sql, &params).await?.is_some())
    }

    async fn delete_budget(&self, tenant: TenantId, which: BudgetSelector) -> Result<bool> {
        let (id, name) = parts(which);
        // What workers hold of it is settled with nobody when they end.
        let sql = "DELETE FROM budgets b USING tenants n
                   WHERE n.num = b.tenant AND n.id = $1 AND (b.id = $2 OR b.name = $3) RETURNING b.num";
        let params = [(&tenant.0 as _, Type::UUID), (&id as _, Type::UUID), (&name as _, Type::TEXT)];
        Ok(self.inner.write.row(sql, &params).await?.is_some())
    }

    async fn budgeted_tenants(&self) -> Result<Vec<TenantId>> {
        let sql = "SELECT n.id FROM tenants n WHERE EXISTS (SELECT FROM budgets b WHERE b.tenant = n.num)";
        let rows = self.inner.write.rows(sql, &[]).await?;
        rows.iter().map(|row| get(row, 0).map(TenantId)).collect()
    }

    async fn payers(&self, tenant: TenantId, task: TaskId) -> Result<Vec<Payer>> {
        let params = [(&tenant.0 as _, Type::UUID), (&task.0 as _, Type::UUID)];
        let rows = self.inner.write.rows(PAYERS, &params).await?;
        let payer = |row: &Row| {
            Ok(Payer {
                id: BudgetId(get(row, 0)?),
                name: get(row, 1)?,
                period: period_of(get(row, 2)?)?,
                limits: limits_of(get(row, 3)?, get(row, 4)?),
            })
        };
        rows.iter().map(payer).collect()
    }

    async fn draw(&self, worker: WorkerId, request: DrawRequest) -> Result<Draw> {
        let DrawRequest { budget, period_start, need, want, spent_already } = request;
        let row = self
            .inner
            .write
            .row(
                "SELECT outcome, tokens, cost, open, at, max_tokens, max_cost
                 FROM draw_budget($1, $2, $3, $4, $5, $6, $7, $8)",
                &[
                    (&worker.0, Type::INT8),
                    (&budget.0, Type::UUID),
                    (&period_start, Type::INT8),
                    (&tokens_column(need.tokens)?, Type::INT8),
                    (&need.cost.0, Type::INT8),
                    (&tokens_column(want.tokens)?, Type::INT8),
                    (&want.cost.0, Type::INT8),
                    (&spent_already, Type::BOOL),
                ],
            )
            .await?
            .ok_or_else(no_answer)?;
        Ok(match get::<i16>(&row, 0)? {
            0 => Draw::Granted(amount(&row, 1)?),
            1 => Draw::Short {
                open: get(&row, 3)?,
                spent: amount(&row, 1)?,
                limits: limits_of(get(&row, 5)?, get(&row, 6)?),
            },
            2 => Draw::Later(get(&row, 4)?),
            3 => Draw::Gone,
            _ => Draw::Fenced,
        })
    }

    async fn give_back(&self, worker: WorkerId, keep: Vec<Keep>) -> Result<()> {
        let mut columns = AmountColumns::default();
        for keep in keep {
            columns.push(keep.budget, keep.period_start, keep.amount);
        }
        let mut params: Vec<Param<'_>> = vec![(&worker.0, Type::INT8)];
        params.extend(columns.params());
        self.inner.write.rows("SELECT give_back($1, $2, $3, $4, $5)", &params).await.map(drop)
    }
}

/// Amounts by budget and period, as columns.
#[derive(Default)]
pub(super) struct AmountColumns {
    budget: Vec<Uuid>,
    period_start: Vec<i64>,
    tokens: Vec<i64>,
    cost: Vec<i64>,
}

impl AmountColumns {
    pub(super) fn push(&mut self, budget: BudgetId, period_start: i64, amount: Amount) {
        self.budget.push(budget.0);
        self.period_start.push(period_start);
        // More than a column holds was never consumed.
        self.tokens.push(i64::try_from(amount.tokens).unwrap_or(i64::MAX));
        self.cost.push(amount.cost.0);
    }

    pub(super) fn params(&self) -> [Param<'_>; 4] {
        [
            (&self.budget, Type::UUID_ARRAY),
            (&self.period_start, Type::INT8_ARRAY),
            (&self.tokens, Type::INT8_ARRAY),
            (&self.cost, Type::INT8_ARRAY),
        ]
    }
}

/// Id and name, of which one is given.
fn parts(which: BudgetSelector) -> (Option<Uuid>, Option<String>) {
    match which {
        BudgetSelector::Id(id) => (Some(id.0), None),
        BudgetSelector::Name(name) => (None, Some(name)),
    }
}

fn read(row: &Row) -> Result<BudgetRow> {
    Ok(BudgetRow {
        id: BudgetId(get(row, 0)?),
        tenant: TenantId(get(row, 1)?),
        name: get(row, 2)?,
        scope: scope_of(get(row, 3)?, get(row, 4)?)?,
        period: period_of(get(row, 5)?)?,
        limits: limits_of(get(row, 6)?, get(row, 7)?),
        period_start: get(row, 8)?,
        spent: amount(row, 9)?,
        reserved: amount(row, 11)?,
        created_by: get::<Option<Uuid>>(row, 13)?.map(UserId),
        created_at: get(row, 14)?,
    })
}

/// Two columns from `at` on.
fn amount(row: &Row, at: usize) -> Result<Amount> {
    Ok(Amount { tokens: count(row, at)?, cost: NanoUsd(get(row, at + 1)?) })
}

fn no_answer() -> StoreError {
    StoreError::Unavailable("the database gave no answer".to_owned())
}
