//! Budgets as rows, and the workers' slices of them.

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use agenticai_domain::budget::{Amount, BudgetLimits, BudgetScope};
use agenticai_domain::ids::{BudgetId, TaskId, TenantId, UserId};
use agenticai_domain::usage::NanoUsd;

use super::SqliteStore;
use super::append::is_alive;
use super::create::tenant_number;
use super::rows::{count, id, optional_id};
use super::transaction::Tx;
use super::writer::Lane;
use crate::budgets::{
    limit_columns, limits_of, period_number, period_of, scope_numbers, scope_of, tokens_column,
};
use crate::{
    BudgetRow, BudgetSelector, Budgets, Charge, CreateBudget, Draw, DrawRequest, Keep, NewBudget, Page,
    Payer, Result, StoreError, WorkerId,
};

const SELECT: &str = "
    SELECT b.id, n.id, b.name, b.scope, b.subject, b.period, b.max_tokens, b.max_cost, b.period_start,
           b.settled_tokens + s.spent_tokens, b.settled_cost + s.spent_cost,
           max(0, b.taken_tokens - b.settled_tokens - s.spent_tokens),
           max(0, b.taken_cost - b.settled_cost - s.spent_cost), b.created_by, b.created_at
    FROM budgets b JOIN tenants n ON n.num = b.tenant JOIN (
        SELECT b.num AS budget, coalesce(sum(s.spent_tokens), 0) AS spent_tokens, coalesce(sum(s.spent_cost), 0) AS spent_cost
        FROM budgets b LEFT JOIN budget_slices s ON s.budget = b.id AND s.period_start = b.period_start
        GROUP BY b.num) s ON s.budget = b.num";

const PAYERS: &str = "
    WITH RECURSIVE line (num, id, parent, agent, created_by) AS (
        SELECT t.num, t.id, t.parent, t.agent, t.created_by
        FROM tasks t JOIN tenants n ON n.num = t.tenant WHERE t.id = ?2 AND n.id = ?1
        UNION ALL
        SELECT t.num, t.id, t.parent, t.agent, t.created_by FROM tasks t JOIN line l ON t.num = l.parent
    ), subjects (scope, subject) AS (
        SELECT 0, ?1
        UNION SELECT 1, a.id FROM agents a JOIN line l ON a.num = l.agent
        UNION SELECT 2, l.created_by FROM line l
        UNION SELECT 3, l.id FROM line l
    )
    SELECT b.id, b.name, b.scope, b.subject, b.period, b.max_tokens, b.max_cost
    FROM subjects w JOIN budgets b ON b.tenant = (SELECT num FROM tenants WHERE id = ?1)
                                  AND b.scope = w.scope AND b.subject = w.subject
    ORDER BY b.id";

#[async_trait]
impl Budgets for SqliteStore {
    async fn create_budget(&self, new: NewBudget) -> Result<CreateBudget> {
        let (tenant, id) = (new.tenant, new.id);
        let outcome = self.inner.writer.call(Lane::Work, 0, move |tx| insert(tx, &new)).await?;
        match outcome {
            Inserted::Stored => match self.budget(tenant, BudgetSelector::Id(id)).await? {
                Some(row) => Ok(CreateBudget::Stored(Box::new(row))),
                None => Err(StoreError::Unavailable(format!("the new budget {id} is gone already"))),
            },
            Inserted::NameTaken => Ok(CreateBudget::NameTaken),
            Inserted::NoSubject => Ok(CreateBudget::NoSubject),
        }
    }

    async fn budget(&self, tenant: TenantId, which: BudgetSelector) -> Result<Option<BudgetRow>> {
        let (condition, key) = condition(which);
        let mut rows =
            self.read_budgets(format!("WHERE n.id = ?1 AND {condition}"), tenant, vec![key]).await?;
        Ok(rows.pop())
    }

    async fn list_budgets(
        &self,
        tenant: TenantId,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<Page<BudgetRow>> {
        let limit = limit.max(1);
        let which =
            "WHERE n.id = ?1 AND b.name IS NOT NULL AND (?2 IS NULL OR b.name > ?2) ORDER BY b.name LIMIT ?3";
        // One row more than asked for, to know whether more follow.
        let rest = vec![cursor.map_or(Value::Null, Value::Text), Value::Integer(i64::from(limit) + 1)];
        let mut items = self.read_budgets(which.to_owned(), tenant, rest).await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = if more { items.last().and_then(|row| row.name.clone()) } else { None };
        Ok(Page { items, next_cursor })
    }

    async fn limit_budget(
        &self,
        tenant: TenantId,
        which: BudgetSelector,
        limits: BudgetLimits,
    ) -> Result<bool> {
        let (max_tokens, max_cost) = limit_columns(limits)?;
        let (condition, key) = condition(which);
        let sql = format!(
            "UPDATE budgets AS b SET max_tokens = ?3, max_cost = ?4
             WHERE b.tenant = (SELECT num FROM tenants WHERE id = ?1) AND {condition}"
        );
        self.inner
            .writer
            .call(Lane::Work, 0, move |tx| {
                Ok(tx.execute(&sql, params![tenant.0.as_bytes(), key, max_tokens, max_cost])? > 0)
            })
            .await
    }

    async fn delete_budget(&self, tenant: TenantId, which: BudgetSelector) -> Result<bool> {
        let (condition, key) = condition(which);
        let sql = format!(
            "DELETE FROM budgets AS b WHERE b.tenant = (SELECT num FROM tenants WHERE id = ?1) AND {condition}"
        );
        self.inner
            .writer
            .call(Lane::Work, 0, move |tx| Ok(tx.execute(&sql, params![tenant.0.as_bytes(), key])? > 0))
            .await
    }

    async fn budgeted_tenants(&self) -> Result<Vec<TenantId>> {
        self.inner
            .readers
            .call(|conn| {
                let sql = "SELECT n.id FROM tenants n WHERE EXISTS (SELECT 1 FROM budgets b WHERE b.tenant = n.num)";
                let rows = conn
                    .prepare_cached(sql)?
                    .query_map([], |row| id(row, 0).map(TenantId))?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(rows)
            })
            .await
    }

    async fn payers(&self, tenant: TenantId, task: TaskId) -> Result<Vec<Payer>> {
        self.inner
            .readers
            .call(move |conn| {
                let mut statement = conn.prepare_cached(PAYERS)?;
                let mut rows = statement.query(params![tenant.0.as_bytes(), task.0.as_bytes()])?;
                let mut payers = Vec::new();
                while let Some(row) = rows.next()? {
                    let name = match row.get::<_, Option<String>>(1)? {
                        Some(name) => name,
                        None => format!("task {}", id(row, 3)?),
                    };
                    payers.push(Payer {
                        id: BudgetId(id(row, 0)?),
                        name,
                        period: period_of(row.get(4)?)?,
                        limits: limits_of(row.get(5)?, row.get(6)?),
                    });
                }
                Ok(payers)
            })
            .await
    }

    async fn draw(&self, worker: WorkerId, request: DrawRequest) -> Result<Draw> {
        let (need, want) = (columns(request.need)?, columns(request.want)?);
        self.inner.writer.call(Lane::Work, 0, move |tx| draw(tx, worker, &request, need, want)).await
    }

    async fn give_back(&self, worker: WorkerId, keep: Vec<Keep>) -> Result<()> {
        self.inner
            .writer
            .call(Lane::Work, 0, move |tx| keep.iter().try_for_each(|keep| shrink(tx, worker, keep)))
            .await
    }
}

enum Inserted {
    Stored,
    NameTaken,
    NoSubject,
}

fn insert(tx: &Tx<'_>, new: &NewBudget) -> Result<Inserted> {
    let tenant = tenant_number(tx, new.tenant)?;
    let (scope, subject) = scope_numbers(new.scope, new.tenant);
    let there = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        Ok::<_, StoreError>(tx.row(sql, params, |_| Ok(()))?.is_some())
    };
    let known = match new.scope {
        BudgetScope::Agent(_) => there(
            "SELECT 1 FROM agents WHERE id = ?1 AND tenant = ?2 AND deleted_at IS NULL",
            params![subject.as_bytes(), tenant],
        )?,
        BudgetScope::User(_) => {
            there("SELECT 1 FROM users WHERE id = ?1 AND tenant = ?2", params![subject.as_bytes(), tenant])?
        }
        BudgetScope::Tenant | BudgetScope::Task(_) => true,
    };
    if !known {
        return Ok(Inserted::NoSubject);
    }
    let (max_tokens, max_cost) = limit_columns(new.limits)?;
    tx.execute(
        "INSERT INTO budgets (id, tenant, name, scope, subject, period, period_start, max_tokens, max_cost, created_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        params![
            new.id.0.as_bytes(),
            tenant,
            new.name,
            scope,
            subject.as_bytes(),
            period_number(new.period),
            new.period.start_of(tx.now),
            max_tokens,
            max_cost,
            new.created_by.as_ref().map(|user| user.0.as_bytes()),
            tx.now,
        ],
    )?;
    let mine =
        there("SELECT 1 FROM budgets WHERE id = ?1 AND tenant = ?2", params![new.id.0.as_bytes(), tenant])?;
    Ok(if mine { Inserted::Stored } else { Inserted::NameTaken })
}

/// What decides about a draw.
struct Standing {
    num: i64,
    limits: [Option<i64>; 2],
    period_start: i64,
    settled: [i64; 2],
    taken: [i64; 2],
}

fn draw(
    tx: &Tx<'_>,
    worker: WorkerId,
    request: &DrawRequest,
    need: [i64; 2],
    want: [i64; 2],
) -> Result<Draw> {
    let DrawRequest { budget, period_start, spent_already, .. } = *request;
    if !is_alive(tx, worker)? {
        return Ok(Draw::Fenced);
    }
    let standing = tx.row(
        "SELECT num, max_tokens, max_cost, period_start, settled_tokens, settled_cost, taken_tokens, taken_cost
         FROM budgets WHERE id = ?1",
        [budget.0.as_bytes()],
        |row| {
            Ok(Standing {
                num: row.get(0)?,
                limits: [row.get(1)?, row.get(2)?],
                period_start: row.get(3)?,
                settled: [row.get(4)?, row.get(5)?],
                taken: [row.get(6)?, row.get(7)?],
            })
        },
    )?;
    let Some(mut standing) = standing else { return Ok(Draw::Gone) };
    if period_start < standing.period_start && !spent_already {
        return Ok(Draw::Later(standing.period_start));
    }
    if period_start > standing.period_start {
        // The first one of a new period begins it.
        tx.execute(
            "UPDATE budgets SET period_start = ?2, settled_tokens = 0, settled_cost = 0, taken_tokens = 0, taken_cost = 0
             WHERE num = ?1",
            params![standing.num, period_start],
        )?;
        (standing.settled, standing.taken) = ([0; 2], [0; 2]);
    }
    let left = |part: usize| {
        standing.limits[part].map_or(i64::MAX, |limit| limit.saturating_sub(standing.taken[part]))
    };
    let lacks = [need[0] > left(0), need[1] > left(1)];
    if !spent_already && lacks != [false; 2] {
        return short(tx, request, &standing, lacks);
    }
    // The nearer the limit, the smaller what is granted beyond the need.
    let more = |part: usize| {
        need[part].saturating_add(
            (want[part] - need[part]).min((left(part).saturating_sub(need[part])) / 16).max(0),
        )
    };
    let key = params![worker.0, budget.0.as_bytes(), period_start];
    tx.execute(
        "INSERT INTO budget_slices (worker, budget, period_start) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        key,
    )?;
    tx.execute(
        "UPDATE budgets SET taken_tokens = taken_tokens + ?3, taken_cost = taken_cost + ?4
         WHERE num = ?1 AND period_start = ?2",
        params![standing.num, period_start, more(0), more(1)],
    )?;
    let granted = tx.row(
        "UPDATE budget_slices SET granted_tokens = granted_tokens + ?4, granted_cost = granted_cost + ?5
         WHERE worker = ?1 AND budget = ?2 AND period_start = ?3 RETURNING granted_tokens, granted_cost",
        params![worker.0, budget.0.as_bytes(), period_start, more(0), more(1)],
        |row| amount(row, 0),
    )?;
    granted.map(Draw::Granted).ok_or_else(|| StoreError::Unreadable("a slice is missing".to_owned()))
}

/// Says that it does not fit, and whether some of it may come back.
fn short(tx: &Tx<'_>, request: &DrawRequest, standing: &Standing, lacks: [bool; 2]) -> Result<Draw> {
    let held = tx.row(
        "SELECT coalesce(sum(spent_tokens), 0), coalesce(sum(spent_cost), 0),
                coalesce(sum(granted_tokens - spent_tokens), 0), coalesce(sum(granted_cost - spent_cost), 0)
         FROM budget_slices WHERE budget = ?1 AND period_start = ?2",
        params![request.budget.0.as_bytes(), request.period_start],
        |row| Ok((amount(row, 0)?, [row.get::<_, i64>(2)? > 0, row.get::<_, i64>(3)? > 0])),
    )?;
    let (spent, open) = held.unwrap_or_default();
    let settled = Amount { tokens: standing.settled[0].unsigned_abs(), cost: NanoUsd(standing.settled[1]) };
    Ok(Draw::Short {
        open: lacks[0] && open[0] || lacks[1] && open[1],
        spent: settled.plus(spent),
        limits: limits_of(standing.limits[0], standing.limits[1]),
    })
}

fn shrink(tx: &Tx<'_>, worker: WorkerId, keep: &Keep) -> Result<()> {
    let key = (worker.0, keep.budget.0, keep.period_start);
    let slice = tx.row(
        "SELECT granted_tokens, granted_cost, spent_tokens, spent_cost FROM budget_slices
         WHERE worker = ?1 AND budget = ?2 AND period_start = ?3",
        params![key.0, key.1.as_bytes(), key.2],
        |row| Ok(([row.get::<_, i64>(0)?, row.get(1)?], [row.get::<_, i64>(2)?, row.get(3)?])),
    )?;
    let Some((granted, spent)) = slice else { return Ok(()) };
    let wanted = columns(keep.amount)?;
    let kept = |part: usize| granted[part].min(spent[part].max(wanted[part]));
    tx.execute(
        "UPDATE budget_slices SET granted_tokens = ?4, granted_cost = ?5
         WHERE worker = ?1 AND budget = ?2 AND period_start = ?3",
        params![key.0, key.1.as_bytes(), key.2, kept(0), kept(1)],
    )?;
    tx.execute(
        "UPDATE budgets SET taken_tokens = taken_tokens - ?3, taken_cost = taken_cost - ?4
         WHERE id = ?1 AND period_start = ?2",
        params![key.1.as_bytes(), key.2, granted[0] - kept(0), granted[1] - kept(1)],
    )?;
    Ok(())
}

/// Raises what the slices of a worker have spent.
pub(super) fn charge(tx: &Tx<'_>, worker: WorkerId, charges: &[Charge]) -> Result<()> {
    for charge in charges {
        let [tokens, cost] = columns(charge.amount)?;
        tx.execute(
            "UPDATE budget_slices SET spent_tokens = spent_tokens + ?4, spent_cost = spent_cost + ?5
             WHERE worker = ?1 AND budget = ?2 AND period_start = ?3",
            params![worker.0, charge.budget.0.as_bytes(), charge.period_start, tokens, cost],
        )?;
    }
    Ok(())
}

/// Takes the slices of a worker that has ended or died.
pub(super) fn settle(tx: &Tx<'_>, worker: i64) -> Result<()> {
    tx.execute(
        "UPDATE budgets AS b SET
             settled_tokens = settled_tokens + s.spent_tokens, settled_cost = settled_cost + s.spent_cost,
             taken_tokens = taken_tokens - s.granted_tokens + s.spent_tokens,
             taken_cost = taken_cost - s.granted_cost + s.spent_cost
         FROM budget_slices s WHERE s.worker = ?1 AND s.budget = b.id AND s.period_start = b.period_start",
        [worker],
    )?;
    tx.execute("DELETE FROM budget_slices WHERE worker = ?1", [worker]).map(drop)
}

impl SqliteStore {
    async fn read_budgets(
        &self,
        which: String,
        tenant: TenantId,
        rest: Vec<Value>,
    ) -> Result<Vec<BudgetRow>> {
        self.inner.readers.call(move |conn| read(conn, &which, tenant, rest)).await
    }
}

fn read(conn: &Connection, which: &str, tenant: TenantId, rest: Vec<Value>) -> Result<Vec<BudgetRow>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT} {which}"))?;
    let tenant = Value::Blob(tenant.0.as_bytes().to_vec());
    let mut rows = statement.query(params_from_iter(std::iter::once(tenant).chain(rest)))?;
    let mut budgets = Vec::new();
    while let Some(row) = rows.next()? {
        budgets.push(BudgetRow {
            id: BudgetId(id(row, 0)?),
            tenant: TenantId(id(row, 1)?),
            name: row.get(2)?,
            scope: scope_of(row.get(3)?, id(row, 4)?)?,
            period: period_of(row.get(5)?)?,
            limits: limits_of(row.get(6)?, row.get(7)?),
            period_start: row.get(8)?,
            spent: amount(row, 9)?,
            reserved: amount(row, 11)?,
            created_by: optional_id(row, 13)?.map(UserId),
            created_at: row.get(14)?,
        });
    }
    Ok(budgets)
}

/// Two columns from `at` on.
fn amount(row: &Row<'_>, at: usize) -> rusqlite::Result<Amount> {
    Ok(Amount { tokens: count(row, at)?, cost: NanoUsd(row.get(at + 1)?) })
}

fn columns(amount: Amount) -> Result<[i64; 2]> {
    Ok([tokens_column(amount.tokens)?, amount.cost.0])
}

/// The condition that a budget meets, with its parameter as the second.
fn condition(which: BudgetSelector) -> (&'static str, Value) {
    match which {
        BudgetSelector::Id(id) => ("b.id = ?2", Value::Blob(id.0.as_bytes().to_vec())),
        BudgetSelector::Name(name) => ("b.name = ?2", Value::Text(name)),
    }
}
