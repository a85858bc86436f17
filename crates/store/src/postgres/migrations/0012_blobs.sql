-- min-reader: 11
-- Large payloads, and the end of those that nobody refers to any more.
--
-- A payload is named by its content, so one that is about to be removed may be wanted again at that moment. Whoever writes
-- (W) first commits a reference by the task that it writes for, and only then looks whether the payload is there; whoever
-- removes (C) first takes the payload away from W's look, and only then looks for references, with a newer snapshot:
--
--   W: reference ----> is it there?            C: lock or set aside ----> is there a reference? --> remove
--
-- If C's lock comes before W's look, W waits for C, or does not find the payload, and writes it. If W's look comes before
-- C's lock, the reference was committed before C looks for it, and C leaves the payload alone. In the table the lock is
-- that of the first chunk's row, which W's look updates; in a directory C gives the file another name, under which it is
-- still read.
--
-- References go with their tasks. One whose task does not come into being (the creation was refused, or its process
-- died) is dropped after a day: a process that is frozen for longer than that between its two statements, and whose
-- connections outlive it, creates a task whose input is gone, and which fails for that.

-- Notes that a task refers to a payload; NULL: something that is never removed does.
CREATE FUNCTION refer_to_blob(p_tenant uuid, p_sha256 bytea, p_task uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO blob_refs AS r (tenant, sha256, task, at, checked)
    SELECT num, p_sha256, coalesce(p_task, '00000000-0000-0000-0000-000000000000'), clock_ms(0), p_task IS NULL
    FROM tenants WHERE id = p_tenant
    ON CONFLICT (tenant, sha256, task) DO UPDATE SET at = excluded.at WHERE NOT r.checked;
END
$$;

-- Drops the references of tasks that are gone. Their payloads are looked at later: that changes the count, so that
-- whoever is looking at one of them right now looks again.
CREATE FUNCTION drop_blob_refs(tasks uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH dropped AS (
        DELETE FROM blob_refs WHERE task = ANY (tasks) RETURNING tenant, sha256
    )
    INSERT INTO blob_garbage AS g (tenant, sha256)
    SELECT DISTINCT tenant, sha256 FROM dropped ORDER BY tenant, sha256
    ON CONFLICT (tenant, sha256) DO UPDATE SET marks = g.marks + 1;
END
$$;

-- Drops references whose tasks never came into being within `grace` milliseconds; answers how many were looked at.
CREATE FUNCTION check_blob_refs(floor bigint, grace bigint, most int) RETURNS int LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET lock_timeout = '1s' AS $$
DECLARE
    looked uuid[];
    before bigint := clock_ms(floor) - grace;
BEGIN
    SELECT array_agg(r.task) INTO looked FROM (
        SELECT task FROM blob_refs WHERE NOT checked AND at < before ORDER BY at LIMIT most FOR UPDATE SKIP LOCKED
    ) AS r;
    IF looked IS NULL THEN
        RETURN 0;
    END IF;
    UPDATE blob_refs SET checked = true
    WHERE task = ANY (looked) AND at < before AND EXISTS (SELECT FROM tasks t WHERE t.id = blob_refs.task);
    PERFORM drop_blob_refs((SELECT array_agg(DISTINCT l) FROM unnest(looked) AS l
                            WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.id = l)));
    RETURN cardinality(looked);
END
$$;

-- Removes payloads from the table that nobody refers to any more, and forgets that they had to be looked at: up to `most`,
-- or the one with this name, unless it has lost another reference since its count was `p_marks`. Answers how many were
-- looked at, and how many are gone.
CREATE FUNCTION collect_blobs(most int, p_tenant uuid, p_sha256 bytea, p_marks int, OUT looked int, OUT gone int)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET lock_timeout = '1s' AS $$
DECLARE
    g record;
    there boolean;
BEGIN
    looked := 0;
    gone := 0;
    FOR g IN
        SELECT tenant, sha256 FROM blob_garbage
        WHERE p_sha256 IS NULL
           OR sha256 = p_sha256 AND marks = p_marks AND tenant = (SELECT n.num FROM tenants n WHERE n.id = p_tenant)
        LIMIT most FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM 1 FROM blobs WHERE tenant = g.tenant AND sha256 = g.sha256 AND chunk = 0 FOR UPDATE;
        there := FOUND;
        -- A new statement: it sees whoever referred to it before the lock was granted.
        IF there AND NOT EXISTS (SELECT FROM blob_refs WHERE tenant = g.tenant AND sha256 = g.sha256) THEN
            DELETE FROM blobs WHERE tenant = g.tenant AND sha256 = g.sha256;
            gone := gone + 1;
        END IF;
        DELETE FROM blob_garbage WHERE tenant = g.tenant AND sha256 = g.sha256;
        looked := looked + 1;
    END LOOP;
END
$$;
