-- min-reader: 4
-- Schedules, what came of their firings, and firing them. Whoever changes or fires a schedule has locked its row: it
-- comes before the tasks that it creates in the order of locks.

CREATE TABLE schedules (
    num           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant        bigint NOT NULL,
    id            uuid NOT NULL UNIQUE,
    name          text NOT NULL,
    -- Raised with every change: what was decided from an older row is refused.
    revision      int NOT NULL,
    paused        boolean NOT NULL,
    -- 0 skip, 1 queue, 2 replace.
    overlap       smallint NOT NULL,
    -- NULL while it is paused, and where there is no occurrence any more.
    next_fire_at  bigint,
    last_fire_at  bigint,
    -- The newest task that it created: one at a time is open.
    last_task     bigint,
    created_by    uuid,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL,
    body          bytea NOT NULL,
    CONSTRAINT schedules_by_name UNIQUE (tenant, name)
) WITH (fillfactor = 70);
CREATE INDEX schedules_due ON schedules (next_fire_at) WHERE next_fire_at IS NOT NULL;

-- What came of firings: those that wait, and the newest others. `num` follows their order.
CREATE TABLE schedule_firings (
    num        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule   bigint NOT NULL,
    tenant     bigint NOT NULL,
    -- The task that it makes or would have made.
    id         uuid NOT NULL UNIQUE,
    due_at     bigint NOT NULL,
    triggered  boolean NOT NULL,
    -- 0 created, 1 queued, 2 skipped, 3 replaced, 4 failed.
    state      smallint NOT NULL,
    why        text,
    at         bigint NOT NULL
);
CREATE INDEX schedule_firings_by_schedule ON schedule_firings (schedule, num);
CREATE INDEX schedule_firings_queued ON schedule_firings (schedule, num) WHERE state = 1;

-- Stores a new schedule; one with its id is the same. `outcome`: 0 stored, 1 the name is taken.
CREATE FUNCTION create_schedule(floor bigint, p_tenant uuid, p_id uuid, p_name text, p_paused boolean, p_overlap smallint,
                                p_next bigint, p_created_by uuid, p_body bytea, OUT outcome smallint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    tenant_num bigint;
    now_ms bigint := clock_ms(floor);
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT num INTO tenant_num FROM tenants WHERE id = p_tenant;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no tenant %', p_tenant;
    END IF;
    INSERT INTO schedules (tenant, id, name, revision, paused, overlap, next_fire_at, created_by, created_at, updated_at, body)
    VALUES (tenant_num, p_id, p_name, 1, p_paused, p_overlap, p_next, p_created_by, now_ms, now_ms, p_body)
    ON CONFLICT DO NOTHING;
    -- A new statement, which sees whoever was faster.
    outcome := CASE WHEN EXISTS (SELECT FROM schedules WHERE id = p_id AND tenant = tenant_num) THEN 0 ELSE 1 END;
END
$$;

-- Changes a schedule of a revision; without `p_body` what it says stays. `outcome`: 0 stored, 1 the name is taken, 2 it
-- has another revision, 3 there is no such schedule.
CREATE FUNCTION change_schedule(floor bigint, p_tenant uuid, p_id uuid, p_revision int, p_paused boolean, p_next bigint,
                                p_name text, p_overlap smallint, p_body bytea, OUT outcome smallint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    s record;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT schedules.num, schedules.tenant, schedules.revision INTO s
    FROM schedules JOIN tenants ON tenants.num = schedules.tenant
    WHERE schedules.id = p_id AND tenants.id = p_tenant FOR NO KEY UPDATE OF schedules;
    IF NOT FOUND THEN
        outcome := 3;
    ELSIF p_name IS NOT NULL
        AND EXISTS (SELECT FROM schedules WHERE tenant = s.tenant AND name = p_name AND num <> s.num) THEN
        outcome := 1;
    ELSIF s.revision <> p_revision THEN
        outcome := 2;
    ELSE
        UPDATE schedules SET revision = revision + 1, paused = p_paused, next_fire_at = p_next,
            name = coalesce(p_name, name), overlap = coalesce(p_overlap, overlap), body = coalesce(p_body, body),
            updated_at = CASE WHEN p_body IS NULL THEN updated_at ELSE clock_ms(floor) END
        WHERE num = s.num;
        outcome := 0;
    END IF;
EXCEPTION WHEN unique_violation THEN
    -- Somebody took the name between the look and the change.
    outcome := 1;
END
$$;

CREATE FUNCTION delete_schedule(p_tenant uuid, p_id uuid, p_name text) RETURNS boolean LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    gone bigint;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    DELETE FROM schedules WHERE tenant = (SELECT num FROM tenants WHERE id = p_tenant) AND (id = p_id OR name = p_name)
    RETURNING num INTO gone;
    -- Whoever fires it holds its row: there is none any more, or all of its firings are there to be seen now.
    DELETE FROM schedule_firings WHERE schedule = gone;
    RETURN gone IS NOT NULL;
END
$$;

-- Creates the task at place `k` of the columns for a schedule whose row is locked; answers why there can be none. A task
-- with the id is the same task. An occurrence that was due before the database was declared to be restored may have been
-- fired in what was lost: its task is paused like those that had not ended.
CREATE FUNCTION create_fired(
    p_schedule bigint, p_due bigint, at bigint, k int, p_format smallint, p_id uuid[], p_tenant uuid[], p_agent uuid[], p_version int[],
    p_priority smallint[], p_timeout bigint[], p_parent uuid[], p_parent_step text[], p_depth smallint[],
    p_created_by uuid[], p_traceparent text[], p_metadata text[], p_labels text[], p_input bytea[]
) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    task_num bigint;
BEGIN
    PERFORM insert_tasks(at, p_format, NULL, p_id[k:k], p_tenant[k:k], p_agent[k:k], p_version[k:k], p_priority[k:k],
                         p_timeout[k:k], p_parent[k:k], p_parent_step[k:k], p_depth[k:k], p_created_by[k:k],
                         p_traceparent[k:k], p_metadata[k:k], p_labels[k:k], p_input[k:k]);
    SELECT t.num INTO task_num FROM tasks t JOIN schedules s ON s.tenant = t.tenant
    WHERE t.id = p_id[k] AND s.num = p_schedule;
    IF NOT FOUND THEN
        RETURN CASE WHEN EXISTS (SELECT FROM tasks WHERE id = p_id[k]) THEN format('the id %s cannot be used', p_id[k])
                    ELSE format('there is no version %s of agent %s', p_version[k], p_agent[k]) END;
    END IF;
    UPDATE schedules SET last_task = task_num WHERE num = p_schedule;
    IF p_due <= (SELECT restored_at FROM installation) THEN
        WITH taken AS (DELETE FROM ready WHERE task = task_num RETURNING task)
        UPDATE tasks SET paused_at = at FROM taken WHERE num = taken.task;
    END IF;
    RETURN NULL;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
    -- What the database cannot take fails its own firing and no other.
    RETURN SQLERRM;
END
$$;

-- Fires a schedule. With `p_revision` it moves on from `p_from` to `p_to`, unless it has another revision or next
-- occurrence by now; without, somebody triggers it. Of each firing: its id, its time, the place of its task in the
-- columns, or why there is none. The first row, `idx` 0, says what came of it all: 0 fired, 1 moved, 2 there is no such
-- schedule; the others what came of each firing.
CREATE FUNCTION fire_schedule(
    floor bigint, p_format smallint, of_tenant uuid, p_schedule uuid, p_revision int, p_from bigint, p_to bigint,
    most_queued bigint, most_kept bigint, f_id uuid[], f_due bigint[], f_task int[], f_why text[],
    p_id uuid[], p_tenant uuid[], p_agent uuid[], p_version int[], p_priority smallint[], p_timeout bigint[],
    p_parent uuid[], p_parent_step text[], p_depth smallint[], p_created_by uuid[], p_traceparent text[],
    p_metadata text[], p_labels text[], p_input bytea[]
) RETURNS TABLE (idx int, outcome smallint, task uuid, due_at bigint, triggered boolean, state smallint, why text, at bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    s record;
    now_ms bigint;
    f record;
    open_task uuid;
    queued int;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT schedules.num, schedules.tenant, schedules.overlap, schedules.revision, schedules.next_fire_at INTO s
    FROM schedules JOIN tenants ON tenants.num = schedules.tenant
    WHERE schedules.id = p_schedule AND tenants.id = of_tenant FOR NO KEY UPDATE OF schedules;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 0, 2::smallint, NULL::uuid, NULL::bigint, NULL::boolean, NULL::smallint, NULL::text, 0::bigint;
        RETURN;
    ELSIF p_revision IS NOT NULL AND (s.revision <> p_revision OR s.next_fire_at IS DISTINCT FROM p_from) THEN
        RETURN QUERY SELECT 0, 1::smallint, NULL::uuid, NULL::bigint, NULL::boolean, NULL::smallint, NULL::text, 0::bigint;
        RETURN;
    END IF;
    now_ms := clock_ms(floor);
    RETURN QUERY SELECT 0, 0::smallint, NULL::uuid, NULL::bigint, NULL::boolean, NULL::smallint, NULL::text, now_ms;
    IF p_revision IS NOT NULL THEN
        UPDATE schedules SET next_fire_at = p_to WHERE num = s.num;
    END IF;
    FOR f IN SELECT c.i::int AS i, c.id, c.due, c.task, c.why
             FROM unnest(f_id, f_due, f_task, f_why) WITH ORDINALITY AS c(id, due, task, why, i) ORDER BY c.i
    LOOP
        IF NOT EXISTS (SELECT FROM schedule_firings o WHERE o.id = f.id AND o.schedule = s.num) THEN
            state := 4;
            why := f.why;
            IF f.task IS NOT NULL THEN
                SELECT t.id INTO open_task FROM schedules c JOIN tasks t ON t.num = c.last_task
                WHERE c.num = s.num AND t.completed_at IS NULL;
                SELECT count(*) INTO queued FROM schedule_firings q WHERE q.schedule = s.num AND q.state = 1;
                IF open_task IS NULL AND queued = 0 THEN
                    why := create_fired(s.num, f.due, now_ms, f.task, p_format, p_id, p_tenant, p_agent, p_version, p_priority,
                                        p_timeout, p_parent, p_parent_step, p_depth, p_created_by, p_traceparent,
                                        p_metadata, p_labels, p_input);
                    state := CASE WHEN why IS NULL THEN 0 ELSE 4 END;
                ELSIF s.overlap = 0 THEN
                    state := 2;
                    why := CASE WHEN open_task IS NULL THEN 'earlier firings were waiting'
                                ELSE format('the task %s had not ended', open_task) END;
                ELSIF s.overlap = 1 AND queued >= most_queued THEN
                    state := 2;
                    why := format('%s firings were waiting', most_queued);
                ELSE
                    IF s.overlap = 2 THEN
                        UPDATE schedule_firings q SET state = 3, why = 'a newer firing took its place', at = now_ms
                        WHERE q.schedule = s.num AND q.state = 1;
                    END IF;
                    state := 1;
                END IF;
            END IF;
            INSERT INTO schedule_firings AS o (schedule, tenant, id, due_at, triggered, state, why, at)
            VALUES (s.num, s.tenant, f.id, f.due, p_revision IS NULL, fire_schedule.state, fire_schedule.why, now_ms);
        END IF;
    END LOOP;
    RETURN QUERY
    SELECT c.i::int, 0::smallint, o.id, o.due_at, o.triggered, o.state, o.why, o.at
    FROM unnest(f_id) WITH ORDINALITY AS c(id, i)
    JOIN schedule_firings o ON o.id = c.id;
    UPDATE schedules c SET last_fire_at = greatest(c.last_fire_at, (SELECT max(d) FROM unnest(f_due) AS d)) WHERE c.num = s.num;
    DELETE FROM schedule_firings o
    WHERE o.schedule = s.num AND o.state <> 1
      AND o.num <= (SELECT k.num FROM schedule_firings k WHERE k.schedule = s.num ORDER BY k.num DESC LIMIT 1 OFFSET most_kept);
END
$$;

-- Starts a waiting firing if it is the oldest of a schedule that is not paused and has no open task. Answers nothing
-- where there is nothing to start any more.
CREATE FUNCTION start_queued(
    floor bigint, p_format smallint, of_tenant uuid, p_schedule uuid, f_id uuid, f_why text,
    p_id uuid[], p_tenant uuid[], p_agent uuid[], p_version int[], p_priority smallint[], p_timeout bigint[],
    p_parent uuid[], p_parent_step text[], p_depth smallint[], p_created_by uuid[], p_traceparent text[],
    p_metadata text[], p_labels text[], p_input bytea[]
) RETURNS TABLE (task uuid, due_at bigint, triggered boolean, state smallint, why text, at bigint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    s record;
    oldest record;
    now_ms bigint;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT schedules.num, schedules.paused, schedules.last_task INTO s
    FROM schedules JOIN tenants ON tenants.num = schedules.tenant
    WHERE schedules.id = p_schedule AND tenants.id = of_tenant FOR NO KEY UPDATE OF schedules;
    IF NOT FOUND OR s.paused OR EXISTS (SELECT FROM tasks t WHERE t.num = s.last_task AND t.completed_at IS NULL) THEN
        RETURN;
    END IF;
    SELECT o.num, o.id, o.due_at INTO oldest FROM schedule_firings o WHERE o.schedule = s.num AND o.state = 1 ORDER BY o.num LIMIT 1;
    IF NOT FOUND OR oldest.id <> f_id THEN
        RETURN;
    END IF;
    now_ms := clock_ms(floor);
    why := f_why;
    IF why IS NULL THEN
        why := create_fired(s.num, oldest.due_at, now_ms, 1, p_format, p_id, p_tenant, p_agent, p_version, p_priority, p_timeout, p_parent,
                            p_parent_step, p_depth, p_created_by, p_traceparent, p_metadata, p_labels, p_input);
    END IF;
    RETURN QUERY
    UPDATE schedule_firings o
    SET state = CASE WHEN start_queued.why IS NULL THEN 0 ELSE 4 END, why = start_queued.why, at = now_ms
    WHERE o.num = oldest.num
    RETURNING o.id, o.due_at, o.triggered, o.state, o.why, o.at;
END
$$;
