-- min-reader: 10
-- Tasks that do not move although they should: found without reading the table of tasks, but for a slice of it at a time.

-- Up to `most` tasks of each kind, the oldest first. `reason`: 0 ready for longer than `bound` milliseconds while workers
-- live, 1 held by a live worker that has committed nothing for that long.
CREATE FUNCTION stuck_tasks(floor bigint, bound bigint, most int)
RETURNS TABLE (tenant uuid, task uuid, reason smallint, for_ms bigint) LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    now_ms bigint := clock_ms(floor);
BEGIN
    IF EXISTS (SELECT FROM workers w WHERE w.state < 2 AND w.state = 0) THEN
        RETURN QUERY
        SELECT n.id, t.id, 0::smallint, now_ms - r.ready_at
        FROM (
            SELECT h.* FROM tenants o CROSS JOIN generate_series(1, 10) AS p CROSS JOIN LATERAL (
                SELECT q.task, q.ready_at FROM ready q
                WHERE q.tenant = o.num AND q.priority = p AND q.ready_at < now_ms - bound ORDER BY q.ready_at LIMIT most
            ) AS h
            ORDER BY h.ready_at LIMIT most
        ) AS r
        JOIN tasks t ON t.num = r.task JOIN tenants n ON n.num = t.tenant
        ORDER BY r.ready_at;
    END IF;
    RETURN QUERY
    SELECT n.id, h.id, 1::smallint, now_ms - greatest(h.claimed_at, j.at)
    FROM held h
    JOIN workers w ON w.id = h.worker AND w.state = 0
    JOIN tenants n ON n.num = h.tenant
    LEFT JOIN LATERAL (
        SELECT e.at FROM journal e WHERE e.task = h.task AND e.bucket = h.bucket ORDER BY e.seq DESC LIMIT 1
    ) AS j ON true
    WHERE h.claimed_at < now_ms - bound AND coalesce(j.at, 0) < now_ms - bound
    ORDER BY greatest(h.claimed_at, j.at) LIMIT most;
END
$$;

-- Looks at the next `most` tasks with numbers beyond `beyond`, and mends what can be mended without harm. `reason`: 2 a
-- task that had no place is ready again; 3 a waiting task was not told that its child had ended, and is now. The last row
-- has no task: `upto` is where the next slice begins, NULL at the end.
--
-- A task has a place in every snapshot, because each way from one place to the next is one transaction. So what has none
-- in a snapshot has lost it; and nobody gives it one meanwhile who does not lock its row, for there is nothing to claim,
-- to hand back or to take over.
CREATE FUNCTION mend_tasks(floor bigint, beyond bigint, most int)
RETURNS TABLE (tenant uuid, task uuid, reason smallint, upto bigint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET lock_timeout = '1s' AS $$
DECLARE
    at bigint := clock_ms(floor);
    last bigint;
    seen int;
    lost bigint[];
    untold bigint[];
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT max(s.num), count(*) INTO last, seen
    FROM (SELECT t.num FROM tasks t WHERE t.num > beyond ORDER BY t.num LIMIT most) AS s;
    SELECT array_agg(t.num) INTO lost FROM tasks t
    WHERE t.num > beyond AND t.num <= last AND t.status = 0 AND t.paused_at IS NULL
      AND NOT EXISTS (SELECT FROM ready r WHERE r.task = t.num) AND NOT EXISTS (SELECT FROM held h WHERE h.id = t.id)
      AND NOT EXISTS (SELECT FROM threads q WHERE q.num = t.thread AND q.active IS DISTINCT FROM t.num);
    IF lost IS NOT NULL THEN
        PERFORM 1 FROM tasks t WHERE t.num = ANY (lost) ORDER BY t.num FOR NO KEY UPDATE;
        RETURN QUERY
        WITH found AS (
            INSERT INTO ready AS r (task, tenant, priority, format, epoch, ready_at, started_at, parent)
            SELECT t.num, t.tenant, t.priority, t.format, 1 + greatest(t.epoch, (
                       SELECT e.epoch FROM journal e WHERE e.task = t.num AND e.bucket = t.bucket ORDER BY e.seq DESC LIMIT 1)),
                   at, t.started_at, t.parent
            FROM tasks t WHERE t.num = ANY (lost) AND t.status = 0 AND t.paused_at IS NULL
              AND NOT EXISTS (SELECT FROM held h WHERE h.id = t.id)
            ON CONFLICT DO NOTHING
            RETURNING r.task
        )
        SELECT n.id, t.id, 2::smallint, NULL::bigint
        FROM found f JOIN tasks t ON t.num = f.task JOIN tenants n ON n.num = t.tenant;
    END IF;
    SELECT array_agg(DISTINCT p.num) INTO untold FROM tasks p JOIN tasks c ON c.parent = p.num
    WHERE p.num > beyond AND p.num <= last AND p.status = 2 AND c.completed_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM inbox m WHERE m.task = p.num AND m.bucket = p.bucket
                        AND m.dedupe = convert_to('child:' || c.id, 'UTF8'));
    IF untold IS NOT NULL THEN
        PERFORM 1 FROM tasks t WHERE t.num = ANY (untold) ORDER BY t.num FOR NO KEY UPDATE;
        SELECT array_agg(c.num) INTO lost FROM tasks p JOIN tasks c ON c.parent = p.num
        WHERE p.num = ANY (untold) AND p.status = 2 AND c.completed_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM inbox m WHERE m.task = p.num AND m.bucket = p.bucket
                            AND m.dedupe = convert_to('child:' || c.id, 'UTF8'));
        PERFORM tell_parents(at, lost);
        RETURN QUERY
        SELECT DISTINCT n.id, p.id, 3::smallint, NULL::bigint
        FROM tasks c JOIN tasks p ON p.num = c.parent JOIN tenants n ON n.num = p.tenant WHERE c.num = ANY (lost);
    END IF;
    RETURN QUERY SELECT NULL::uuid, NULL::uuid, NULL::smallint, CASE WHEN seen = most THEN last END;
END
$$;
