-- Budgets, and the workers' slices of them. A slice is so much that was granted to a worker, and so much of it that its
-- appends have spent; these raise it in their own transaction. So a budget's row is written when slices grow and shrink
-- and not by every call, and what a dead worker was granted and did not spend is known.

CREATE TABLE budgets (
    num             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- That of a task is the task's.
    id              uuid NOT NULL UNIQUE,
    tenant          bigint NOT NULL,
    name            text,
    -- Whose tasks it pays for: 0 the tenant's, 1 an agent's, 2 a user's, 3 one task.
    scope           smallint NOT NULL,
    subject         uuid NOT NULL,
    -- 0 it never begins anew, 1 every day, 2 every month.
    period          smallint NOT NULL,
    max_tokens      bigint,
    max_cost        bigint,
    -- The period that the sums belong to.
    period_start    bigint NOT NULL,
    -- Spent by slices that are gone.
    settled_tokens  bigint NOT NULL DEFAULT 0,
    settled_cost    bigint NOT NULL DEFAULT 0,
    -- The same and all that is granted to workers: what a limit bounds.
    taken_tokens    bigint NOT NULL DEFAULT 0,
    taken_cost      bigint NOT NULL DEFAULT 0,
    created_by      uuid,
    created_at      bigint NOT NULL
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX budgets_by_name ON budgets (tenant, name) WHERE name IS NOT NULL;
CREATE INDEX budgets_by_subject ON budgets (tenant, scope, subject);
CREATE INDEX budgets_of_tasks ON budgets (created_at) WHERE scope = 3;

CREATE TABLE budget_slices (
    worker          bigint NOT NULL,
    budget          uuid NOT NULL,
    period_start    bigint NOT NULL,
    granted_tokens  bigint NOT NULL DEFAULT 0,
    granted_cost    bigint NOT NULL DEFAULT 0,
    spent_tokens    bigint NOT NULL DEFAULT 0,
    spent_cost      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (worker, budget, period_start)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX budget_slices_by_budget ON budget_slices (budget, period_start);

-- `outcome`: 0 stored, or stored before by the same request, 1 another budget has the name, 2 there is no such agent or
-- user.
CREATE FUNCTION create_budget(floor bigint, p_tenant uuid, p_id uuid, p_name text, p_scope smallint, p_subject uuid,
                              p_period smallint, p_start bigint, p_max_tokens bigint, p_max_cost bigint, p_created_by uuid,
                              OUT outcome smallint) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    owner bigint;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT num INTO owner FROM tenants WHERE id = p_tenant;
    IF NOT FOUND OR p_scope = 1 AND NOT EXISTS (SELECT FROM agents WHERE id = p_subject AND tenant = owner AND deleted_at IS NULL)
       OR p_scope = 2 AND NOT EXISTS (SELECT FROM users WHERE id = p_subject AND tenant = owner) THEN
        outcome := 2;
        RETURN;
    END IF;
    INSERT INTO budgets (id, tenant, name, scope, subject, period, period_start, max_tokens, max_cost, created_by, created_at)
    VALUES (p_id, owner, p_name, p_scope, p_subject, p_period, p_start, p_max_tokens, p_max_cost, p_created_by, clock_ms(floor))
    ON CONFLICT DO NOTHING;
    outcome := CASE WHEN EXISTS (SELECT FROM budgets WHERE id = p_id AND tenant = owner) THEN 0 ELSE 1 END;
END
$$;

-- Makes a worker's slice larger. `outcome`: 0 it is `tokens` and `cost` now, 1 it does not fit: so much is spent, and
-- `open` whether slices hold what is not, 2 the budget is in the later period `at`, 3 there is no such budget, 4 the
-- worker is dead.
CREATE FUNCTION draw_budget(p_worker bigint, p_budget uuid, p_start bigint, need_tokens bigint, need_cost bigint,
                            want_tokens bigint, want_cost bigint, spent_already boolean,
                            OUT outcome smallint, OUT tokens bigint, OUT cost bigint, OUT open boolean, OUT at bigint,
                            OUT max_tokens bigint, OUT max_cost bigint) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    b record;
    more_tokens bigint;
    more_cost bigint;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    PERFORM 1 FROM workers w WHERE w.id = p_worker AND w.state = 0 FOR KEY SHARE;
    IF NOT FOUND THEN
        outcome := 4;
        RETURN;
    END IF;
    INSERT INTO budget_slices (worker, budget, period_start) VALUES (p_worker, p_budget, p_start) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM budget_slices s WHERE s.worker = p_worker AND s.budget = p_budget AND s.period_start = p_start FOR NO KEY UPDATE;
    SELECT * INTO b FROM budgets WHERE id = p_budget FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        DELETE FROM budget_slices s WHERE s.worker = p_worker AND s.budget = p_budget AND s.period_start = p_start;
        outcome := 3;
        RETURN;
    END IF;
    at := b.period_start;
    IF p_start < b.period_start AND NOT spent_already THEN
        outcome := 2;
        RETURN;
    ELSIF p_start > b.period_start THEN
        -- The first one of a new period begins it.
        UPDATE budgets SET period_start = p_start, settled_tokens = 0, settled_cost = 0, taken_tokens = 0, taken_cost = 0
        WHERE num = b.num;
        b.taken_tokens := 0;
        b.taken_cost := 0;
    END IF;
    max_tokens := b.max_tokens;
    max_cost := b.max_cost;
    IF NOT spent_already AND (need_tokens > b.max_tokens - b.taken_tokens OR need_cost > b.max_cost - b.taken_cost) THEN
        outcome := 1;
        SELECT b.settled_tokens + coalesce(sum(s.spent_tokens), 0), b.settled_cost + coalesce(sum(s.spent_cost), 0),
               coalesce(bool_or(need_tokens > b.max_tokens - b.taken_tokens AND s.granted_tokens > s.spent_tokens
                                OR need_cost > b.max_cost - b.taken_cost AND s.granted_cost > s.spent_cost), false)
        INTO tokens, cost, open
        FROM budget_slices s WHERE s.budget = p_budget AND s.period_start = p_start;
        RETURN;
    END IF;
    -- The nearer the limit, the smaller what is granted beyond the need.
    more_tokens := need_tokens + greatest(0, least(want_tokens - need_tokens, (b.max_tokens - b.taken_tokens - need_tokens) / 16));
    more_cost := need_cost + greatest(0, least(want_cost - need_cost, (b.max_cost - b.taken_cost - need_cost) / 16));
    UPDATE budgets SET taken_tokens = taken_tokens + more_tokens, taken_cost = taken_cost + more_cost
    WHERE num = b.num AND budgets.period_start = p_start;
    UPDATE budget_slices s SET granted_tokens = granted_tokens + more_tokens, granted_cost = granted_cost + more_cost
    WHERE s.worker = p_worker AND s.budget = p_budget AND s.period_start = p_start
    RETURNING s.granted_tokens, s.granted_cost INTO tokens, cost;
    outcome := 0;
END
$$;

-- Makes slices of a worker smaller, down to what is kept.
CREATE FUNCTION give_back(p_worker bigint, k_budget uuid[], k_start bigint[], k_tokens bigint[], k_cost bigint[])
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    k record;
    s record;
    kept_tokens bigint;
    kept_cost bigint;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    FOR k IN SELECT * FROM unnest(k_budget, k_start, k_tokens, k_cost) AS k(budget, start, tokens, cost) ORDER BY 1, 2 LOOP
        SELECT * INTO s FROM budget_slices WHERE worker = p_worker AND budget = k.budget AND period_start = k.start
        FOR NO KEY UPDATE;
        CONTINUE WHEN NOT FOUND;
        kept_tokens := least(s.granted_tokens, greatest(s.spent_tokens, k.tokens));
        kept_cost := least(s.granted_cost, greatest(s.spent_cost, k.cost));
        UPDATE budget_slices SET granted_tokens = kept_tokens, granted_cost = kept_cost
        WHERE worker = p_worker AND budget = k.budget AND period_start = k.start;
        UPDATE budgets SET taken_tokens = taken_tokens - s.granted_tokens + kept_tokens,
                           taken_cost = taken_cost - s.granted_cost + kept_cost
        WHERE id = k.budget AND period_start = k.start;
    END LOOP;
END
$$;

-- Takes the slices of a worker that has ended or died. The caller sees to it that nothing of its is in flight.
CREATE FUNCTION settle_slices(p_worker bigint) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT * FROM budget_slices WHERE worker = p_worker ORDER BY budget, period_start FOR UPDATE LOOP
        UPDATE budgets SET settled_tokens = settled_tokens + s.spent_tokens, settled_cost = settled_cost + s.spent_cost,
                           taken_tokens = taken_tokens - s.granted_tokens + s.spent_tokens,
                           taken_cost = taken_cost - s.granted_cost + s.spent_cost
        WHERE id = s.budget AND period_start = s.period_start;
    END LOOP;
    DELETE FROM budget_slices WHERE worker = p_worker;
END
$$;

-- Raises what the slices of a worker have spent.
CREATE FUNCTION charge_slices(p_worker bigint, g_budget uuid[], g_start bigint[], g_tokens bigint[], g_cost bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    g record;
BEGIN
    FOR g IN
        SELECT budget, start, sum(tokens)::bigint AS tokens, sum(cost)::bigint AS cost
        FROM unnest(g_budget, g_start, g_tokens, g_cost) AS g(budget, start, tokens, cost)
        GROUP BY 1, 2 ORDER BY 1, 2
    LOOP
        UPDATE budget_slices SET spent_tokens = spent_tokens + g.tokens, spent_cost = spent_cost + g.cost
        WHERE worker = p_worker AND budget = g.budget AND period_start = g.start;
    END LOOP;
END
$$;

-- Forgets the budgets of tasks that are gone. One that is young may be older than its task's commit.
CREATE FUNCTION forget_task_budgets(floor bigint, most int) RETURNS int LANGUAGE sql AS $$
    WITH old AS (
        SELECT num FROM budgets b
        WHERE scope = 3 AND created_at < clock_ms(floor) - 86400000 AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = b.subject)
        ORDER BY created_at LIMIT most FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM budgets USING old WHERE budgets.num = old.num RETURNING 1
    )
    SELECT count(*)::int FROM gone
$$;
