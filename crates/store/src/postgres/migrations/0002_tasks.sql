-- Creating tasks, telling them things, waking and ending them. The order of locks is the same everywhere: worker,
-- idempotency keys, tasks by number (a parent's is lower than its children's), threads by number, everything else.
-- Threads come after tasks because it is the task's row that says which thread it belongs to; whoever creates tasks in a
-- thread locks none that was there before.
--
-- Plans are made while tables are empty and kept while they grow, so plans that read whole tables are ruled out, and so
-- is compiling a plan, which the costs of what is ruled out would call for. That leaves nested loops, in which two lists
-- must never be joined with each other: a batch would cost its square. So lists of one length are unnested side by side,
-- and what was found about their members is looked up by place.

-- Functions that only others call plan under the settings of those. They are written in PL/pgSQL also where they are one
-- statement: a plan in SQL would be made anew with every call.

-- Inserts tasks that refer to what exists, ready at once; `wanted` (NULL: all) says which of them. Those of a thread are
-- not ready: the caller gives them their place. Answers the ids of those that were not there before.
CREATE FUNCTION insert_tasks(
    at bigint, p_format smallint, wanted boolean[], p_id uuid[], p_tenant uuid[], p_agent uuid[], p_version int[],
    p_priority smallint[], p_timeout bigint[], p_parent uuid[], p_parent_step text[], p_depth smallint[],
    p_created_by uuid[], p_traceparent text[], p_metadata text[], p_labels text[], p_input bytea[],
    p_thread bigint DEFAULT NULL
) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    ids uuid[];
BEGIN
    WITH made AS (
        INSERT INTO tasks (id, bucket, tenant, agent, agent_version, priority, depth, format, created_at, deadline_at,
                           parent, parent_step, thread, created_by, traceparent, metadata, labels, input)
        SELECT c.id, coalesce(p.bucket, bucket_of(at, t.retention_days)), t.num, a.num, c.version, c.priority, c.depth, p_format, at,
               -- A time-out beyond the end of time is none.
               CASE WHEN c.timeout <= 9223372036854775807 - at THEN at + c.timeout END,
               p.num, c.parent_step, p_thread, c.created_by, c.traceparent, c.metadata, string_to_array(c.labels, E'\x1f'), c.input
        FROM unnest(p_id, p_tenant, p_agent, p_version, p_priority, p_timeout, p_parent, p_parent_step, p_depth,
                    p_created_by, p_traceparent, p_metadata, p_labels, p_input) WITH ORDINALITY
             AS c(id, tenant, agent, version, priority, timeout, parent, parent_step, depth, created_by, traceparent,
                  metadata, labels, input, i)
        JOIN tenants t ON t.id = c.tenant
        JOIN agents a ON a.id = c.agent AND a.tenant = t.num
        JOIN agent_versions v ON v.agent = a.num AND v.version = c.version
        LEFT JOIN tasks p ON p.id = c.parent AND p.tenant = t.num
        WHERE (wanted IS NULL OR wanted[c.i]) AND (c.parent IS NULL OR p.num IS NOT NULL)
        ON CONFLICT (id) DO NOTHING
        RETURNING tasks.num, tasks.id, tasks.tenant, tasks.priority, tasks.format, tasks.parent
    ), queued AS (
        INSERT INTO ready (task, tenant, priority, format, epoch, ready_at, parent)
        SELECT num, tenant, priority, format, 0, at, parent FROM made WHERE p_thread IS NULL
    )
    SELECT array_agg(made.id) INTO ids FROM made;
    RETURN ids;
END
$$;

-- Creates a batch of tasks, each for itself. `p_thread` and `p_if_active` are NULL where none belongs to a thread.
-- `outcome`: 0 created, 1 the same request made `existing` before, 2 another body came under the key, whose task is
-- `existing`, 3 refused for the reason in `note`, 4 to 6 see `create_in_threads`.
CREATE FUNCTION create_tasks(
    floor bigint, p_format smallint, p_key bytea[], p_body bytea[], p_id uuid[], p_tenant uuid[], p_agent uuid[],
    p_version int[], p_priority smallint[], p_timeout bigint[], p_parent uuid[], p_parent_step text[], p_depth smallint[],
    p_created_by uuid[], p_traceparent text[], p_metadata text[], p_labels text[], p_input bytea[],
    p_thread uuid[], p_if_active smallint[]
) RETURNS TABLE (idx int, outcome smallint, at bigint, agent_name text, existing uuid, note text) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    now_ms bigint;
    keys int;
    won uuid[];
    wanted boolean[];
    made uuid[];
    -- By place: what a thread had against a task, and the task that was in its way.
    verdict smallint[];
    in_way uuid[];
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    now_ms := clock_ms(floor);
    SELECT count(*) INTO keys FROM unnest(p_key) AS k WHERE k IS NOT NULL;
    IF keys > 0 THEN
        -- Sorted, or two batches with the same keys would wait for each other. Keys of others that are being committed
        -- are waited for here.
        WITH claimed AS (
            INSERT INTO idempotency (tenant, key, body, task, bucket)
            SELECT t.num, c.key, c.body, c.id, bucket_of(now_ms, t.retention_days)
            FROM unnest(p_key, p_body, p_id, p_tenant, p_agent, p_version, p_parent)
                 AS c(key, body, id, tenant, agent, version, parent)
            JOIN tenants t ON t.id = c.tenant
            JOIN agents a ON a.id = c.agent AND a.tenant = t.num
            JOIN agent_versions v ON v.agent = a.num AND v.version = c.version
            WHERE c.key IS NOT NULL
              AND (c.parent IS NULL OR EXISTS (SELECT FROM tasks p WHERE p.id = c.parent AND p.tenant = t.num))
              AND NOT EXISTS (SELECT FROM tasks o WHERE o.id = c.id AND o.tenant <> t.num)
            ORDER BY t.num, c.key, c.id
            ON CONFLICT DO NOTHING
            RETURNING task
        )
        SELECT array_agg(task) INTO won FROM claimed;
        IF cardinality(won) IS DISTINCT FROM keys THEN
            SELECT array_agg(coalesce(c.key IS NULL OR c.id = ANY (won), false) ORDER BY c.i) INTO wanted
            FROM unnest(p_key, p_id) WITH ORDINALITY AS c(key, id, i);
        END IF;
    END IF;
    IF p_thread IS NOT NULL THEN
        SELECT c.verdict, c.in_way, c.made INTO verdict, in_way, made
        FROM create_in_threads(now_ms, p_format, wanted, p_key, p_id, p_tenant, p_agent, p_version, p_priority, p_timeout,
                               p_parent, p_parent_step, p_depth, p_created_by, p_traceparent, p_metadata, p_labels, p_input,
                               p_thread, p_if_active) AS c;
        SELECT array_agg(c.thread IS NULL AND (wanted IS NULL OR wanted[c.i]) ORDER BY c.i) INTO wanted
        FROM unnest(p_thread) WITH ORDINALITY AS c(thread, i);
    END IF;
    made := made || insert_tasks(now_ms, p_format, wanted, p_id, p_tenant, p_agent, p_version, p_priority, p_timeout, p_parent,
                         p_parent_step, p_depth, p_created_by, p_traceparent, p_metadata, p_labels, p_input);
    IF cardinality(made) = cardinality(p_id) THEN
        RETURN QUERY
        SELECT c.i::int, 0::smallint, now_ms, a.name, c.id, NULL::text
        FROM unnest(p_id, p_agent) WITH ORDINALITY AS c(id, agent, i) JOIN agents a ON a.id = c.agent;
        RETURN;
    END IF;
    -- Whoever lost a key is told the winner, which only a new statement can see.
    RETURN QUERY
    SELECT c.i::int,
           (CASE WHEN verdict[c.i] IS NOT NULL THEN verdict[c.i]
                 WHEN k.task <> c.id THEN CASE WHEN k.body = c.body THEN 1 ELSE 2 END
                 WHEN c.id = ANY (made) THEN 0
                 WHEN o.tenant = t.num THEN 1
                 ELSE 3 END)::smallint,
           now_ms, a.name, coalesce(in_way[c.i], k.task, c.id),
           CASE WHEN t.num IS NULL THEN format('there is no tenant %s', c.tenant)
                WHEN v.agent IS NULL THEN format('there is no version %s of agent %s', c.version, c.agent)
                WHEN o.tenant <> t.num THEN format('the id %s cannot be used', c.id)
                WHEN c.parent IS NULL THEN 'another creation under the key was just refused: send it again'
                ELSE format('there is no parent task %s', c.parent) END
    FROM unnest(p_id, p_key, p_body, p_tenant, p_agent, p_version, p_parent) WITH ORDINALITY
         AS c(id, key, body, tenant, agent, version, parent, i)
    LEFT JOIN tenants t ON t.id = c.tenant
    LEFT JOIN agents a ON a.id = c.agent AND a.tenant = t.num
    LEFT JOIN agent_versions v ON v.agent = a.num AND v.version = c.version
    LEFT JOIN tasks o ON o.id = c.id
    LEFT JOIN idempotency k ON k.tenant = t.num AND k.key = c.key;
END
$$;

-- Makes waiting tasks ready. The caller has locked their rows.
CREATE FUNCTION wake_tasks(at bigint, nums bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH woken AS (
        UPDATE tasks SET status = 0, wake_at = NULL, waiting_for = NULL
        WHERE num = ANY (nums) AND status = 2
        RETURNING num, tenant, priority, format, epoch, started_at, parent
    )
    INSERT INTO ready (task, tenant, priority, format, epoch, ready_at, started_at, parent)
    SELECT num, tenant, priority, format, epoch, at, started_at, parent FROM woken;
END
$$;

-- Tells parents that children have ended, and wakes those that wait. The caller has locked the parents' rows and ended
-- the children, each of which ends once.
CREATE FUNCTION tell_parents(at bigint, children bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    told bigint[];
BEGIN
    WITH said AS (
        INSERT INTO inbox (task, id, at, child, tenant, bucket, dedupe)
        SELECT p.num, p.inbox_seq + row_number() OVER (PARTITION BY p.num ORDER BY c.num), at, c.num, p.tenant, p.bucket,
               convert_to('child:' || c.id, 'UTF8')
        FROM tasks c JOIN tasks p ON p.num = c.parent
        WHERE c.num = ANY (children) AND p.status <= 2
        RETURNING task
    ), counted AS (
        SELECT task, count(*) AS n FROM said GROUP BY task
    ), raised AS (
        UPDATE tasks SET inbox_seq = inbox_seq + n FROM counted WHERE num = counted.task RETURNING num
    )
    SELECT array_agg(num) INTO told FROM raised;
    IF told IS NOT NULL THEN
        PERFORM wake_tasks(at, told);
    END IF;
END
$$;

-- Puts a message into a task's inbox. `outcome`: 0 delivered, 1 delivered before, 2 the task has ended with `status`,
-- 3 there is no such task.
CREATE FUNCTION deliver(floor bigint, p_tenant uuid, p_task uuid, p_dedupe bytea, p_body bytea,
                        OUT outcome smallint, OUT status smallint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    t record;
    at bigint;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT tasks.num, tasks.bucket, tasks.tenant, tasks.inbox_seq, tasks.status INTO t
    FROM tasks JOIN tenants ON tenants.num = tasks.tenant
    WHERE tasks.id = p_task AND tenants.id = p_tenant FOR NO KEY UPDATE OF tasks;
    IF NOT FOUND THEN
        outcome := 3;
    ELSIF EXISTS (SELECT FROM inbox WHERE task = t.num AND dedupe = p_dedupe AND bucket = t.bucket) THEN
        outcome := 1;
    ELSIF t.status > 2 THEN
        outcome := 2;
        status := t.status;
    ELSE
        at := clock_ms(floor);
        INSERT INTO inbox (task, id, at, tenant, bucket, dedupe, body)
        VALUES (t.num, t.inbox_seq + 1, at, t.tenant, t.bucket, p_dedupe, p_body);
        UPDATE tasks SET inbox_seq = inbox_seq + 1 WHERE num = t.num;
        IF t.status = 2 THEN
            PERFORM wake_tasks(at, ARRAY[t.num]);
        END IF;
        outcome := 0;
    END IF;
END
$$;

-- Gives the next tasks of threads their turn. The tasks `ended` were the active ones of theirs or not; they have ended
-- and leave their threads.
CREATE FUNCTION hand_on(at bigint, ended bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM threads WHERE num IN (SELECT t.thread FROM tasks t WHERE t.num = ANY (ended))
    ORDER BY num FOR NO KEY UPDATE;
    -- A new statement: it sees what whoever held the locks has written.
    WITH moved AS (
        UPDATE threads h SET
            active = CASE WHEN h.active = t.num THEN h.queue[1] ELSE h.active END,
            queue = CASE WHEN h.active = t.num THEN h.queue[2:] ELSE array_remove(h.queue, t.num) END,
            superseded = array_remove(h.superseded, t.num)
        FROM tasks t JOIN threads before ON before.num = t.thread
        WHERE t.num = ANY (ended) AND h.num = before.num
        RETURNING CASE WHEN before.active = t.num THEN h.active END AS next
    )
    INSERT INTO ready (task, tenant, priority, format, epoch, ready_at)
    SELECT n.num, n.tenant, n.priority, n.format, n.epoch, at FROM moved JOIN tasks n ON n.num = moved.next
    -- One that is paused has its turn and is ready once it is released, which locks the thread as well.
    WHERE n.paused_at IS NULL;
END
$$;

-- Ends a task from outside at `p_seq`. `outcome`: 0 ended, 1 another entry took the seq, 2 it had ended with `status`,
-- 3 there is no such task.
CREATE FUNCTION end_task(floor bigint, p_tenant uuid, p_task uuid, p_seq bigint, p_status smallint, p_entry bytea,
                         p_outcome bytea, s_input bigint, s_output bigint, s_cached bigint, s_reasoning bigint, s_cost bigint,
                         OUT outcome smallint, OUT status smallint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    t record;
    at bigint;
    before int;
    e int;
    started bigint;
    its_turn boolean;
    patience timestamptz := clock_timestamp() + interval '5 seconds';
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    -- The parent first: its number is lower.
    PERFORM 1 FROM tasks WHERE num = (SELECT parent FROM tasks WHERE id = p_task) FOR NO KEY UPDATE;
    SELECT tasks.num, tasks.bucket, tasks.tenant, tasks.parent, tasks.thread, tasks.status, tasks.epoch, tasks.started_at,
           tasks.paused_at INTO t
    FROM tasks JOIN tenants ON tenants.num = tasks.tenant
    WHERE tasks.id = p_task AND tenants.id = p_tenant FOR NO KEY UPDATE OF tasks;
    IF NOT FOUND THEN
        outcome := 3;
        RETURN;
    ELSIF t.status > 2 THEN
        outcome := 2;
        status := t.status;
        RETURN;
    END IF;
    SELECT epoch INTO before FROM journal WHERE task = t.num AND seq = p_seq - 1 AND bucket = t.bucket;
    IF p_seq < 1 OR (p_seq > 1 AND NOT FOUND) THEN
        outcome := 1;
        RETURN;
    END IF;
    at := clock_ms(floor);
    -- A worker's entry for this seq that is being committed is waited for here.
    INSERT INTO journal (task, seq, at, tenant, bucket, epoch, entry)
    SELECT t.num, p_seq, at, t.tenant, t.bucket,
           greatest(before, t.epoch, (SELECT epoch FROM held WHERE id = p_task), (SELECT epoch FROM ready WHERE task = t.num)),
           p_entry
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        outcome := 1;
        RETURN;
    END IF;
    -- Whether it has its turn is decided by its thread's row, and cannot change once that is locked.
    IF t.thread IS NOT NULL THEN
        SELECT active = t.num INTO its_turn FROM threads WHERE num = t.thread FOR NO KEY UPDATE;
    END IF;
    -- A task that does not wait is held or ready, and may be on its way from the one to the other.
    e := t.epoch;
    started := t.started_at;
    IF t.status = 0 AND t.paused_at IS NULL AND coalesce(its_turn, t.thread IS NULL) THEN
        LOOP
            DELETE FROM ready WHERE task = t.num RETURNING epoch, started_at INTO e, started;
            EXIT WHEN FOUND;
            DELETE FROM held WHERE id = p_task RETURNING epoch, started_at INTO e, started;
            EXIT WHEN FOUND;
            -- It is neither, by a fault of ours: then there is nothing to remove.
            EXIT WHEN clock_timestamp() > patience;
        END LOOP;
        e := coalesce(e, t.epoch);
        started := coalesce(started, t.started_at);
    END IF;
    UPDATE tasks SET status = p_status, last_seq = p_seq, outcome = p_outcome, completed_at = at, wake_at = NULL,
        waiting_for = NULL, paused_at = NULL, epoch = e, started_at = started, input_tokens = s_input, output_tokens = s_output,
        cached_tokens = s_cached, reasoning_tokens = s_reasoning, cost = s_cost
    WHERE num = t.num;
    IF t.parent IS NOT NULL THEN
        PERFORM tell_parents(at, ARRAY[t.num]);
    END IF;
    IF t.thread IS NOT NULL THEN
        PERFORM hand_on(at, ARRAY[t.num]);
    END IF;
    outcome := 0;
END
$$;

-- Makes up to `most` waiting tasks ready whose time has come.
CREATE FUNCTION wake_due(floor bigint, most int) RETURNS int LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    at bigint := clock_ms(floor);
    due bigint[];
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT array_agg(num) INTO due FROM (
        SELECT num FROM tasks WHERE wake_at <= at ORDER BY wake_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    ) AS waiting;
    IF due IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM wake_tasks(at, due);
    RETURN cardinality(due);
END
$$;

-- Up to `most` children that have not ended and whose parents have. Children that have not ended are ready, held,
-- waiting or paused: a few among the many that have. A function, so that the queue is not read for the few in it.
CREATE FUNCTION orphans(most bigint) RETURNS TABLE (tenant uuid, task uuid) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT n.id, c.id FROM (
        SELECT h.task AS num FROM held h WHERE h.parent IS NOT NULL
        UNION ALL
        SELECT r.task FROM ready r WHERE r.parent IS NOT NULL
        UNION ALL
        SELECT q.num FROM tasks q WHERE q.paused_at IS NOT NULL AND q.parent IS NOT NULL
        UNION ALL
        SELECT w.num FROM tasks w WHERE w.waiting_for IS NOT NULL AND w.parent IS NOT NULL
    ) AS live
    JOIN tasks c ON c.num = live.num AND c.parent IS NOT NULL AND c.completed_at IS NULL
    JOIN tasks p ON p.num = c.parent AND p.completed_at IS NOT NULL
    JOIN tenants n ON n.num = c.tenant
    LIMIT most;
END
$$;
