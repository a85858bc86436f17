-- Which worker advances which task, and what it appends. `h.worker + 0` in a condition keeps the index of workers out of
-- the plan: rows are looked up one by one, by their key.

-- Gives a live worker up to `most` ready tasks. `m_tenant`, `m_priority`, `m_from` say where to look: the heads of a
-- tenant's priority from a time on, below which nothing is ready any more. `m_busy` is the number of tasks of the
-- tenant that the worker holds already: whoever has the fewest comes first, so that tenants share by time and not by
-- the number of their tasks; inside a tenant priority and age decide. Tenants with numbers above `newer_than` are looked
-- at whole. From the second crash on a task is tried apart, by the number of its crashes; from a thousand on it is poison.
CREATE FUNCTION claim_tasks(floor bigint, p_worker bigint, most int, p_format smallint, priority_ms bigint,
                            m_tenant bigint[], m_priority smallint[], m_from bigint[], m_busy int[], newer_than bigint,
                            least_crashes smallint, most_crashes smallint)
RETURNS TABLE (task bigint, tenant bigint, priority smallint, epoch int, crashes smallint, ready_at bigint, last_seq bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    at bigint;
    reads smallint;
    chosen bigint[];
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT w.reads_format INTO reads FROM workers w WHERE w.id = p_worker AND w.state = 0
        AND NOT EXISTS (SELECT FROM installation i WHERE i.halted IS NOT NULL) FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- Heads that others are taking at this moment are passed over, hence more of them than are wanted.
    WITH heads AS (
        SELECT r.task, r.tenant, r.ready_at - r.priority * priority_ms AS due, m.busy
        FROM (
            SELECT * FROM unnest(m_tenant, m_priority, m_from, m_busy)
            UNION ALL
            SELECT n.num, p, 0, 0 FROM tenants n CROSS JOIN generate_series(1, 10) AS p WHERE n.num > newer_than
        ) AS m(tenant, priority, since, busy)
        CROSS JOIN LATERAL (
            SELECT * FROM ready h
            WHERE h.tenant = m.tenant AND h.priority = m.priority AND h.ready_at >= m.since AND h.format <= reads
              AND h.crashes BETWEEN least_crashes AND most_crashes
            ORDER BY h.ready_at LIMIT 2 * most
        ) AS r
    ), ranked AS (
        SELECT h.task, h.due, h.busy + row_number() OVER (PARTITION BY h.tenant ORDER BY h.due) AS place FROM heads h
    )
    SELECT array_agg(t.task) INTO chosen FROM (
        SELECT r.task FROM ranked k JOIN ready r ON r.task = k.task
        ORDER BY k.place, k.due LIMIT most FOR UPDATE OF r SKIP LOCKED
    ) AS t;
    IF chosen IS NULL THEN
        RETURN;
    END IF;
    at := clock_ms(floor);
    RETURN QUERY
    WITH taken AS (
        DELETE FROM ready r USING unnest(chosen) AS c(task) WHERE r.task = c.task RETURNING r.*
    ), given AS (
        INSERT INTO held (id, worker, task, bucket, tenant, parent, priority, format, epoch, crashes, ready_at, started_at,
                          claimed_at, crash_seq)
        SELECT t.id, p_worker, k.task, t.bucket, k.tenant, t.parent, k.priority, greatest(k.format, p_format), k.epoch + 1,
               k.crashes, k.ready_at, coalesce(k.started_at, at), at, k.crash_seq
        FROM taken k JOIN tasks t ON t.num = k.task
        RETURNING held.*
    )
    SELECT g.task, g.tenant, g.priority, g.epoch, g.crashes, g.ready_at,
           -- What was never started has no journal.
           CASE WHEN g.epoch = 1 THEN 0 ELSE coalesce(
               (SELECT j.seq FROM journal j WHERE j.task = g.task AND j.bucket = g.bucket ORDER BY j.seq DESC LIMIT 1), 0) END
    FROM given g
    ORDER BY g.ready_at - g.priority * priority_ms;
END
$$;

-- Tasks that were just given away, in the columns of `RawTask`, and whether their tenants have budgets. A function, so
-- that it is planned once, and for rows that are looked up: planned by the queue's first rows, it read the whole queue.
CREATE FUNCTION claimed_tasks(p_nums bigint[])
RETURNS TABLE (id uuid, tenant uuid, agent uuid, agent_name text, agent_version int, priority int, created_at bigint,
               deadline_at bigint, parent uuid, parent_step text, depth int, created_by uuid, traceparent text, status smallint,
               last_seq bigint, started_at bigint, completed_at bigint, input_tokens bigint, output_tokens bigint,
               cached_tokens bigint, reasoning_tokens bigint, cost bigint, metadata text, input bytea, waiting_for bytea,
               outcome bytea, inbox_seq bigint, num bigint, thread uuid, thread_name text, thread_place int, paused_at bigint,
               budgeted boolean)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT t.id, n.id, a.id, a.name, t.agent_version, t.priority::int, t.created_at, t.deadline_at, p.id, t.parent_step,
           t.depth::int, t.created_by, t.traceparent, 1::smallint, t.last_seq, t.started_at, t.completed_at, t.input_tokens,
           t.output_tokens, t.cached_tokens, t.reasoning_tokens, t.cost, t.metadata, t.input, t.waiting_for, t.outcome,
           t.inbox_seq, t.num, th.id, th.name, array_position(th.queue, t.num), t.paused_at,
           EXISTS (SELECT FROM budgets b WHERE b.tenant = t.tenant)
    FROM unnest(p_nums) AS g(num)
    JOIN tasks t ON t.num = g.num
    JOIN tenants n ON n.num = t.tenant
    JOIN agents a ON a.num = t.agent
    LEFT JOIN tasks p ON p.num = t.parent
    LEFT JOIN threads th ON th.num = t.thread
    ORDER BY t.num;
END
$$;

-- Declares workers dead that were seen to crash with suspects in hand, which have that many crashes then, but for this one.
CREATE FUNCTION crashed(p_name text, p_crashes smallint) RETURNS void LANGUAGE sql AS $$
    WITH crashed AS (
        UPDATE workers SET state = 1 WHERE state < 2 AND state = 0 AND name = p_name RETURNING id
    )
    UPDATE held SET crashes = p_crashes FROM crashed WHERE worker = crashed.id
$$;

-- Hands tasks of a worker back, with their epoch raised. A step that was committed since the last crash clears what was
-- counted until then.
CREATE FUNCTION release_tasks(floor bigint, p_worker bigint, p_tasks uuid[]) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    WITH back AS (
        DELETE FROM held WHERE id = ANY (p_tasks) AND worker = p_worker RETURNING *
    )
    INSERT INTO ready (task, tenant, priority, format, epoch, crashes, ready_at, started_at, crash_seq, parent)
    SELECT task, tenant, priority, format, epoch + 1,
           CASE WHEN crash_seq < (SELECT j.seq FROM journal j WHERE j.task = b.task AND j.bucket = b.bucket
                                  ORDER BY j.seq DESC LIMIT 1) THEN 0 ELSE crashes END,
           clock_ms(floor), started_at, crash_seq, parent
    FROM back b;
END
$$;

-- Makes up to `most` tasks of dead workers ready, with their epoch raised. What a worker has in flight must be seen
-- before anybody goes on: its row is locked until then. Those with nothing in flight come first, so that one whose
-- batch hangs holds up no other; where there are only such, they are waited for.
CREATE FUNCTION take_over(floor bigint, most int) RETURNS int LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET lock_timeout = '1s' AS $$
DECLARE
    dead bigint[];
    gone bigint;
    n int;
    taken int := 0;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT array_agg(w.id) INTO dead FROM (
        SELECT id FROM workers WHERE state < 2 AND state = 1 ORDER BY id FOR UPDATE SKIP LOCKED
    ) AS w;
    IF dead IS NULL THEN
        SELECT array_agg(w.id) INTO dead FROM (
            SELECT id FROM workers WHERE state < 2 AND state = 1 ORDER BY id FOR UPDATE
        ) AS w;
    END IF;
    FOREACH gone IN ARRAY coalesce(dead, '{}') LOOP
        WITH portion AS (
            SELECT id FROM held WHERE worker = gone LIMIT most - taken
        ), back AS (
            DELETE FROM held h USING portion WHERE h.id = portion.id AND h.worker = gone
            RETURNING h.*, coalesce((SELECT j.seq FROM journal j WHERE j.task = h.task AND j.bucket = h.bucket
                                     ORDER BY j.seq DESC LIMIT 1), 0) AS seq
        )
        INSERT INTO ready (task, tenant, priority, format, epoch, crashes, ready_at, started_at, crash_seq, parent)
        -- A step that was committed since the last crash clears what was counted until then.
        SELECT task, tenant, priority, format, epoch + 1, CASE WHEN crashes >= 1000 THEN 1000 WHEN seq > crash_seq THEN 1 ELSE least(crashes + 1, 999) END,
               clock_ms(floor), started_at, seq, parent
        FROM back;
        GET DIAGNOSTICS n = ROW_COUNT;
        taken := taken + n;
        IF taken >= most THEN
            RETURN taken;
        END IF;
        -- It is given no task any more, so this holds for good.
        UPDATE workers SET state = 2 WHERE id = gone AND NOT EXISTS (SELECT FROM held WHERE worker = gone);
        IF FOUND THEN
            PERFORM settle_slices(gone);
        END IF;
    END LOOP;
    RETURN taken;
END
$$;

-- Commits runs of different tasks, each accepted or refused by itself. `r_kind`: 0 goes on, 1 waits, 2 ends. `r_entry`
-- is the first entry of a run, `e_*` are the others by their run and their place in it, `c_*` its children, `g_*` what
-- budgets pay for it.
--
-- The fence is a lock that takeover must wait for: the row of the worker's incarnation. The first entry of a run
-- decides about all of it: a foreign entry that took its seq refuses that run and no other. `outcome`: 0 accepted,
-- 1 already mine, 2 fenced, 3 overtaken, 4 the inbox has moved, 5 the task has ended with `status`. Where all were
-- accepted, one row with `idx` 0 says so. That a run begins where the journal ends is the caller's to see to. `p_beats` is
-- what the worker knows of its own counter: a database that does not know it any more was restored to an earlier point,
-- and its journals end before the worker believes.
CREATE FUNCTION append_runs(
    floor bigint, p_worker bigint, p_beats bigint, p_format smallint,
    r_id uuid[], r_epoch int[], r_run bigint[], r_first bigint[], r_count int[], r_kind smallint[], r_entry bytea[],
    r_inbox_seen bigint[], r_wake_at bigint[], r_waiting_for bytea[], r_status smallint[], r_outcome bytea[],
    r_input bigint[], r_output bigint[], r_cached bigint[], r_reasoning bigint[], r_cost bigint[],
    e_run int[], e_place int[], e_entry bytea[],
    c_run int[], c_id uuid[], c_tenant uuid[], c_agent uuid[], c_version int[], c_priority smallint[], c_timeout bigint[],
    c_parent uuid[], c_parent_step text[], c_depth smallint[], c_created_by uuid[], c_traceparent text[],
    c_metadata text[], c_labels text[], c_input bytea[],
    g_run int[], g_budget uuid[], g_start bigint[], g_tokens bigint[], g_cost bigint[]
) RETURNS TABLE (idx int, outcome smallint, at bigint, status smallint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    n int := cardinality(r_id);
    now_ms bigint;
    alive boolean;
    settling boolean := 0 < ANY (r_kind);
    went_in bigint[];
    -- By place: whether the run went in.
    good boolean[] := array_fill(false, ARRAY[n]);
    ended bigint[];
    -- Of those that ended, the ones that belong to a thread.
    in_threads bigint[];
    lost record;
BEGIN
    SELECT true INTO alive FROM workers w CROSS JOIN write_epoch e WHERE w.id = p_worker AND w.state = 0 AND w.beats >= p_beats AND e.one
    FOR KEY SHARE;
    IF alive THEN
        IF settling THEN
            -- Their rows and those of their parents, in the order of numbers.
            PERFORM 1 FROM tasks t WHERE t.num IN (
                SELECT h.task FROM unnest(r_id, r_kind) AS r(id, kind) JOIN held h ON h.id = r.id WHERE r.kind > 0
                UNION ALL
                SELECT h.parent FROM unnest(r_id, r_kind) AS r(id, kind) JOIN held h ON h.id = r.id
                WHERE r.kind = 2 AND h.parent IS NOT NULL
            ) ORDER BY t.num FOR NO KEY UPDATE;
        END IF;
        now_ms := clock_ms(floor);
        WITH first AS (
            INSERT INTO journal (task, seq, run, at, tenant, bucket, epoch, entry)
            SELECT h.task, r.first, r.run, now_ms, h.tenant, h.bucket, h.epoch, r.entry
            FROM unnest(r_id, r_epoch, r_run, r_first, r_count, r_kind, r_inbox_seen, r_entry)
                 AS r(id, epoch, run, first, entries, kind, seen, entry)
            JOIN held h ON h.id = r.id AND h.worker + 0 = p_worker AND h.epoch = r.epoch
            WHERE r.entries > 0
              AND (r.kind <> 1 OR r.seen = (SELECT t.inbox_seq FROM tasks t WHERE t.num = h.task))
            ON CONFLICT DO NOTHING
            RETURNING journal.run
        )
        SELECT array_agg(f.run) INTO went_in FROM first f;
        IF cardinality(went_in) = n THEN
            good := array_fill(true, ARRAY[n]);
        ELSE
            SELECT array_agg(coalesce(CASE
                       WHEN r.entries > 0 THEN r.run = ANY (went_in)
                       -- A wait without entries: its task's row is locked, so that nobody ends it meanwhile.
                       ELSE r.kind = 1
                            AND r.seen = (SELECT t.inbox_seq FROM tasks t WHERE t.num = h.task)
                            AND NOT EXISTS (SELECT FROM journal j WHERE j.task = h.task AND j.seq = r.first
                                              AND j.bucket = h.bucket)
                   END, false) ORDER BY r.i)
            INTO good
            FROM unnest(r_id, r_epoch, r_run, r_first, r_count, r_kind, r_inbox_seen) WITH ORDINALITY
                 AS r(id, epoch, run, first, entries, kind, seen, i)
            LEFT JOIN held h ON h.id = r.id AND h.worker + 0 = p_worker AND h.epoch = r.epoch;
        END IF;

        IF cardinality(e_run) > 0 THEN
            INSERT INTO journal (task, seq, run, at, tenant, bucket, epoch, entry)
            SELECT h.task, r_first[e.run] + e.place, r_run[e.run], now_ms, h.tenant, h.bucket, h.epoch, e.entry
            FROM unnest(e_run, e_place, e_entry) AS e(run, place, entry)
            JOIN held h ON h.id = r_id[e.run]
            WHERE good[e.run];
        END IF;

        IF cardinality(c_run) > 0 THEN
            PERFORM insert_tasks(
                now_ms, p_format, (SELECT array_agg(good[c.run] ORDER BY c.i) FROM unnest(c_run) WITH ORDINALITY AS c(run, i)),
                c_id, c_tenant, c_agent, c_version, c_priority, c_timeout, c_parent, c_parent_step, c_depth, c_created_by,
                c_traceparent, c_metadata, c_labels, c_input);
            SELECT c.agent, c.version INTO lost FROM unnest(c_run, c_id, c_agent, c_version) AS c(run, id, agent, version)
            WHERE good[c.run] AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = c.id) LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'there is no version % of agent %', lost.version, lost.agent;
            END IF;
        END IF;

        IF settling THEN
            WITH done AS (
                SELECT r.*, h.task, h.epoch, h.format, h.started_at
                FROM unnest(r_id, r_run, r_first, r_count, r_kind, r_wake_at, r_waiting_for, r_status, r_outcome,
                            r_input, r_output, r_cached, r_reasoning, r_cost) WITH ORDINALITY
                     AS r(id, run, first, entries, kind, wake_at, waiting_for, status, outcome, input, output, cached,
                          reasoning, cost, i)
                JOIN held h ON h.id = r.id
                WHERE r.kind > 0 AND good[r.i]
            ), settled AS (
                UPDATE tasks t SET
                    status = CASE d.kind WHEN 1 THEN 2 ELSE d.status END,
                    epoch = d.epoch, format = d.format, started_at = d.started_at, last_seq = d.first + d.entries - 1,
                    -- A deadline ends every wait.
                    wake_at = CASE d.kind WHEN 1 THEN least(d.wake_at, t.deadline_at) END,
                    waiting_for = CASE d.kind WHEN 1 THEN d.waiting_for END,
                    wait_run = CASE d.kind WHEN 1 THEN d.run ELSE t.wait_run END,
                    wait_at = CASE d.kind WHEN 1 THEN now_ms ELSE t.wait_at END,
                    outcome = d.outcome, completed_at = CASE d.kind WHEN 2 THEN now_ms END,
                    input_tokens = d.input, output_tokens = d.output, cached_tokens = d.cached,
                    reasoning_tokens = d.reasoning, cost = d.cost
                FROM done d WHERE t.num = d.task
                RETURNING t.num, t.parent, t.thread, d.kind
            ), let_go AS (
                DELETE FROM held h USING done d WHERE h.id = d.id
            )
            SELECT array_agg(s.num) FILTER (WHERE s.parent IS NOT NULL), array_agg(s.num) FILTER (WHERE s.thread IS NOT NULL)
            INTO ended, in_threads FROM settled s WHERE s.kind = 2;
            IF ended IS NOT NULL THEN
                PERFORM tell_parents(now_ms, ended);
            END IF;
            IF in_threads IS NOT NULL THEN
                PERFORM hand_on(now_ms, in_threads);
            END IF;
        END IF;
        IF cardinality(g_run) > 0 THEN
            PERFORM charge_slices(p_worker, array_agg(g.budget), array_agg(g.start), array_agg(g.tokens), array_agg(g.cost))
            FROM unnest(g_run, g_budget, g_start, g_tokens, g_cost) AS g(run, budget, start, tokens, cost)
            WHERE good[g.run] HAVING count(*) > 0;
        END IF;
        IF true = ALL (good) THEN
            idx := 0;
            outcome := 0;
            at := now_ms;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;

    -- Refused is classified by a statement of its own: the first one's snapshot is older than its locks.
    RETURN QUERY
    SELECT r.i::int,
           (CASE
               WHEN good[r.i] THEN 0
               WHEN j.run = r.run THEN 1
               WHEN r.entries = 0 AND t.wait_run = r.run THEN 1
               WHEN alive IS NULL OR t.num IS NULL THEN 2
               WHEN t.status > 2 THEN 5
               WHEN h.id IS NULL THEN 2
               WHEN j.task IS NOT NULL THEN 3
               WHEN r.kind = 1 AND t.inbox_seq <> r.seen THEN 4
               ELSE 3
           END)::smallint,
           CASE WHEN good[r.i] THEN now_ms WHEN j.run = r.run THEN j.at ELSE t.wait_at END,
           t.status
    FROM unnest(r_id, r_epoch, r_run, r_first, r_count, r_kind, r_inbox_seen) WITH ORDINALITY
         AS r(id, epoch, run, first, entries, kind, seen, i)
    LEFT JOIN tasks t ON t.id = r.id
    LEFT JOIN journal j ON j.task = t.num AND j.seq = r.first AND j.bucket = t.bucket
    LEFT JOIN held h ON h.id = r.id AND h.worker + 0 = p_worker AND h.epoch = r.epoch;
END
$$;
