-- Threads: making and removing them, and creating tasks in them.

-- Creates the tasks of a batch that belong to threads, in its order. By place: `verdict` and `in_way` are NULL for those
-- that were created, those that were there before, and those that insertion refuses; 4 the thread does not exist, 5 the
-- task `in_way` is active, 6 too many wait. `made`: the ids of those that were created. The key of a task that a thread
-- refused is free again.
CREATE FUNCTION create_in_threads(
    at bigint, p_format smallint, wanted boolean[], p_key bytea[], p_id uuid[], p_tenant uuid[], p_agent uuid[],
    p_version int[], p_priority smallint[], p_timeout bigint[], p_parent uuid[], p_parent_step text[], p_depth smallint[],
    p_created_by uuid[], p_traceparent text[], p_metadata text[], p_labels text[], p_input bytea[], p_thread uuid[],
    p_if_active smallint[], OUT verdict smallint[], OUT in_way uuid[], OUT made uuid[]
) LANGUAGE plpgsql AS $$
DECLARE
    -- As in `agenticai_domain::thread`.
    most_queued CONSTANT int := 1000;
    th record;
    new_num bigint;
BEGIN
    PERFORM 1 FROM threads WHERE id = ANY (p_thread) ORDER BY num FOR NO KEY UPDATE;
    FOR k IN 1 .. cardinality(p_thread) LOOP
        CONTINUE WHEN p_thread[k] IS NULL OR EXISTS (SELECT FROM tasks t WHERE t.id = p_id[k]);
        -- Whoever lost its key to a task is that task.
        CONTINUE WHEN NOT wanted[k] AND EXISTS (
            SELECT FROM idempotency i JOIN tenants n ON n.num = i.tenant WHERE n.id = p_tenant[k] AND i.key = p_key[k]);
        SELECT h.num, h.active, cardinality(h.queue) AS queued, a.id AS active_id INTO th
        FROM tenants n JOIN threads h ON h.tenant = n.num LEFT JOIN tasks a ON a.num = h.active
        WHERE n.id = p_tenant[k] AND h.id = p_thread[k];
        -- 0 queue, 1 reject, 2 interrupt, 3 replace.
        verdict[k] := CASE WHEN th.num IS NULL THEN 4
                           WHEN th.active IS NOT NULL AND (p_if_active[k] = 1 OR NOT wanted[k]) THEN 5
                           WHEN th.queued >= most_queued AND p_if_active[k] <> 3 THEN 6 END;
        IF verdict[k] IS NOT NULL THEN
            in_way[k] := th.active_id;
            DELETE FROM idempotency i USING tenants n
            WHERE n.id = p_tenant[k] AND i.tenant = n.num AND i.key = p_key[k] AND i.task = p_id[k];
            CONTINUE;
        END IF;
        -- One that lost it to a creation that was refused just now is not created without it.
        CONTINUE WHEN NOT wanted[k];
        CONTINUE WHEN insert_tasks(
            at, p_format, NULL, p_id[k:k], p_tenant[k:k], p_agent[k:k], p_version[k:k], p_priority[k:k], p_timeout[k:k],
            p_parent[k:k], p_parent_step[k:k], p_depth[k:k], p_created_by[k:k], p_traceparent[k:k], p_metadata[k:k],
            p_labels[k:k], p_input[k:k], th.num) IS NULL;
        made := made || p_id[k];
        SELECT t.num INTO new_num FROM tasks t WHERE t.id = p_id[k];
        IF th.active IS NULL THEN
            UPDATE threads h SET active = new_num WHERE h.num = th.num;
            INSERT INTO ready (task, tenant, priority, format, epoch, ready_at)
            SELECT t.num, t.tenant, t.priority, t.format, t.epoch, at FROM tasks t WHERE t.num = new_num;
        ELSE
            UPDATE threads h SET
                queue = CASE p_if_active[k] WHEN 0 THEN h.queue || new_num WHEN 2 THEN new_num || h.queue
                                            ELSE ARRAY[new_num] END,
                superseded = CASE p_if_active[k]
                    WHEN 0 THEN h.superseded
                    WHEN 2 THEN array_remove(h.superseded, h.active) || h.active
                    ELSE array_remove(h.superseded, h.active) || h.active || h.queue END
            WHERE h.num = th.num;
        END IF;
    END LOOP;
END
$$;

-- Stores a new thread; one with its id is the same. `outcome`: 0 stored, 1 the name is taken.
CREATE FUNCTION create_thread(floor bigint, p_tenant uuid, p_id uuid, p_name text, p_created_by uuid, OUT outcome smallint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    tenant_num bigint;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT num INTO tenant_num FROM tenants WHERE id = p_tenant;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no tenant %', p_tenant;
    END IF;
    INSERT INTO threads (id, tenant, name, created_by, created_at)
    VALUES (p_id, tenant_num, p_name, p_created_by, clock_ms(floor))
    ON CONFLICT DO NOTHING;
    -- A name that is being taken was waited for; whose it is, only a new statement can see.
    outcome := CASE WHEN EXISTS (SELECT FROM threads WHERE id = p_id AND tenant = tenant_num) THEN 0 ELSE 1 END;
END
$$;

-- Removes a thread by id or name. `outcome`: 0 removed, 1 its task `active_id` has not ended, 2 there is no such thread.
CREATE FUNCTION delete_thread(p_tenant uuid, p_id uuid, p_name text, OUT outcome smallint, OUT active_id uuid)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    th record;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT h.num, h.active, h.superseded INTO th FROM threads h JOIN tenants n ON n.num = h.tenant
    WHERE n.id = p_tenant AND (h.id = p_id OR h.name = p_name) FOR NO KEY UPDATE OF h;
    IF NOT FOUND THEN
        outcome := 2;
        RETURN;
    END IF;
    SELECT t.id INTO active_id FROM tasks t WHERE t.num = coalesce(th.active, th.superseded[1]);
    IF active_id IS NULL THEN
        DELETE FROM threads WHERE num = th.num;
    END IF;
    outcome := CASE WHEN active_id IS NULL THEN 0 ELSE 1 END;
END
$$;

-- The ids of tasks, in the order of their numbers' places.
CREATE FUNCTION tasks_of(nums bigint[]) RETURNS uuid[] LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
    SELECT coalesce(array_agg(t.id ORDER BY n.place), '{}')
    FROM unnest(nums) WITH ORDINALITY AS n(num, place) JOIN tasks t ON t.num = n.num
$$;
