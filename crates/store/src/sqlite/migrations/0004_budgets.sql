-- Budgets, and the workers' slices of them; see the store's module `budgets`.
CREATE TABLE budgets (
    num             INTEGER PRIMARY KEY,
    -- That of a task is the task's.
    id              BLOB NOT NULL UNIQUE,
    tenant          INTEGER NOT NULL REFERENCES tenants (num),
    name            TEXT,
    -- Whose tasks it pays for: 0 the tenant's, 1 an agent's, 2 a user's, 3 one task.
    scope           INTEGER NOT NULL,
    subject         BLOB NOT NULL,
    -- 0 it never begins anew, 1 every day, 2 every month.
    period          INTEGER NOT NULL,
    max_tokens      INTEGER,
    max_cost        INTEGER,
    -- The period that the sums belong to.
    period_start    INTEGER NOT NULL,
    -- Spent by slices that are gone.
    settled_tokens  INTEGER NOT NULL DEFAULT 0,
    settled_cost    INTEGER NOT NULL DEFAULT 0,
    -- The same and all that is granted to workers: what a limit bounds.
    taken_tokens    INTEGER NOT NULL DEFAULT 0,
    taken_cost      INTEGER NOT NULL DEFAULT 0,
    created_by      BLOB,
    created_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX budgets_by_name ON budgets (tenant, name) WHERE name IS NOT NULL;
CREATE INDEX budgets_by_subject ON budgets (tenant, scope, subject);

CREATE TABLE budget_slices (
    worker          INTEGER NOT NULL,
    budget          BLOB NOT NULL,
    period_start    INTEGER NOT NULL,
    granted_tokens  INTEGER NOT NULL DEFAULT 0,
    granted_cost    INTEGER NOT NULL DEFAULT 0,
    spent_tokens    INTEGER NOT NULL DEFAULT 0,
    spent_cost      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (worker, budget, period_start)
) STRICT, WITHOUT ROWID;
CREATE INDEX budget_slices_by_budget ON budget_slices (budget, period_start);
