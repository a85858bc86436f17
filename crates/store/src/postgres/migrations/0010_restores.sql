-- min-reader: 9
-- A database that was restored to an earlier point. What its journals lack was performed all the same, so whatever had
-- not ended is paused until somebody has looked at it.

-- What a process has to know before it works with the database. The first one takes down which server and database it is;
-- `moved` says that it is another now. `timeline_before` is given where the timeline has changed.
CREATE FUNCTION enter(OUT halted text, OUT moved boolean, OUT timeline_before bigint, OUT timeline bigint,
                      OUT blob_directory uuid) LANGUAGE plpgsql AS $$
DECLARE
    known record;
    here bigint := (SELECT oid::bigint FROM pg_database WHERE datname = current_database());
    server bigint;
BEGIN
    BEGIN
        SELECT system_identifier INTO server FROM pg_control_system();
        SELECT timeline_id INTO timeline FROM pg_control_checkpoint();
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported THEN
        -- A server that does not say who it is is known by its database alone.
        NULL;
    END;
    SELECT * INTO known FROM installation;
    IF known.database_oid IS NULL THEN
        UPDATE installation SET system_id = server, database_oid = here, timeline = enter.timeline WHERE database_oid IS NULL;
    ELSIF known.timeline <> timeline THEN
        timeline_before := known.timeline;
        UPDATE installation SET timeline = enter.timeline;
    END IF;
    halted := known.halted;
    blob_directory := known.blob_directory;
    moved := coalesce(known.system_id <> server, false) OR coalesce(known.database_oid <> here, false);
END
$$;

-- Begins to declare that the database was restored: nothing is claimed from now on, no worker lives, and whatever was
-- being written has been committed or was refused. Answers the number of the newest task; later ones are new.
CREATE FUNCTION begin_restored(why text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR UPDATE;
    UPDATE write_epoch SET epoch = epoch + 1;
    UPDATE installation SET halted = why;
    -- As owners of nothing: what they hold is paused and not taken over.
    FOR gone IN UPDATE workers SET state = 2 WHERE state < 2 RETURNING id LOOP
        PERFORM settle_slices(gone);
    END LOOP;
    RETURN (SELECT coalesce(max(num), 0) FROM tasks);
END
$$;

-- Pauses what has not ended among the tasks with these numbers; answers how many. A waiting task does not wait any more:
-- released, it is given to a worker, which reads in its journal what it waits for. Epochs rise by more than all claims
-- that may have been lost, so that a tool which refuses older ones goes on refusing them.
CREATE FUNCTION pause_tasks(floor bigint, beyond bigint, upto bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    at bigint := clock_ms(floor);
    nums bigint[];
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT array_agg(num) INTO nums FROM (
        SELECT num FROM tasks WHERE num > beyond AND num <= upto AND completed_at IS NULL AND paused_at IS NULL
        ORDER BY num FOR NO KEY UPDATE
    ) AS unfinished;
    IF nums IS NULL THEN
        RETURN 0;
    END IF;
    -- Whose turn it is must not change meanwhile.
    PERFORM 1 FROM threads WHERE num IN (SELECT thread FROM tasks WHERE num = ANY (nums)) ORDER BY num FOR NO KEY UPDATE;
    WITH unqueued AS (
        DELETE FROM ready WHERE task = ANY (nums) RETURNING task, epoch, started_at
    ), let_go AS (
        DELETE FROM held WHERE id IN (SELECT id FROM tasks WHERE num = ANY (nums)) RETURNING task, epoch, started_at
    )
    UPDATE tasks t SET status = 0, paused_at = at, wake_at = NULL, waiting_for = NULL,
        epoch = greatest(t.epoch, r.epoch, h.epoch) + 1000000, started_at = coalesce(h.started_at, r.started_at, t.started_at)
    FROM unnest(nums) AS n(num) LEFT JOIN unqueued r ON r.task = n.num LEFT JOIN let_go h ON h.task = n.num
    WHERE t.num = n.num;
    -- A worker that handed a task back at the same moment: the statement above waited for it and did not see where to.
    WITH late AS (
        DELETE FROM ready WHERE task = ANY (nums) RETURNING task, epoch, started_at
    )
    UPDATE tasks t SET epoch = greatest(t.epoch, late.epoch + 1000000), started_at = coalesce(late.started_at, t.started_at)
    FROM late WHERE t.num = late.task;
    RETURN cardinality(nums);
END
$$;

-- Ends the declaration: this server and this database are the ones to work with, and tasks are given to workers again.
-- `complete`: nothing was lost, so that nothing was paused; refused where a worker has found that something was.
CREATE FUNCTION end_restored(floor bigint, complete boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR UPDATE;
    IF complete AND EXISTS (SELECT FROM installation WHERE halted IS NOT NULL) THEN
        RETURN false;
    END IF;
    UPDATE installation SET halted = NULL, system_id = NULL, database_oid = NULL,
        restored_at = CASE WHEN complete THEN restored_at ELSE clock_ms(floor) END;
    -- Transactions of this server are counted otherwise, and none is under way that those who wait for one know of.
    UPDATE usage_mark SET fence = '0';
    PERFORM enter();
    RETURN true;
END
$$;

-- Lets up to `most` paused tasks go on: those of a tenant, one of them, or any; answers how many.
CREATE FUNCTION release_paused(floor bigint, p_tenant text, p_task uuid, most int) RETURNS int LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    at bigint := clock_ms(floor);
    nums bigint[];
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT array_agg(num) INTO nums FROM (
        SELECT num FROM tasks
        WHERE paused_at IS NOT NULL AND (p_task IS NULL OR id = p_task)
          AND (p_tenant IS NULL OR tenant = (SELECT n.num FROM tenants n WHERE n.name = p_tenant))
        ORDER BY num LIMIT most FOR NO KEY UPDATE
    ) AS paused;
    IF nums IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM 1 FROM threads WHERE num IN (SELECT thread FROM tasks WHERE num = ANY (nums)) ORDER BY num FOR NO KEY UPDATE;
    -- One that waits for its turn in a thread goes on waiting for that.
    WITH released AS (
        UPDATE tasks SET paused_at = NULL WHERE num = ANY (nums)
        RETURNING num, tenant, priority, format, epoch, started_at, thread, parent
    )
    INSERT INTO ready (task, tenant, priority, format, epoch, ready_at, started_at, parent)
    SELECT r.num, r.tenant, r.priority, r.format, r.epoch, at, r.started_at, r.parent
    FROM released r LEFT JOIN threads h ON h.num = r.thread
    WHERE r.thread IS NULL OR h.active = r.num;
    RETURN cardinality(nums);
END
$$;
