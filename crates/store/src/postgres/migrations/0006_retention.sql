-- min-reader: 5
-- Partitions of the journal and of inboxes, and the end of what they hold. A bucket is a retention class (days after the
-- end) and a week of creation; it goes as a whole, once every task in it has ended that long ago. What has not is moved
-- on before. Whoever calls these functions need not own the tables.

-- When the newest task of a bucket, had it ended at once, would be past its retention.
CREATE FUNCTION bucket_expires_at(bucket int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT ((bucket % 10000 + 1)::bigint * 604800000) + (bucket / 10000)::bigint * 86400000
$$;

-- Makes the partitions of this week and of `ahead` more for every retention class in use; answers how many are new. One
-- whose rows lie in the default partition already is not made: they stay there until they expire.
CREATE FUNCTION make_partitions(floor bigint, ahead int) RETURNS int LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '1s' AS $$
DECLARE
    b int;
    made int := 0;
BEGIN
    FOR b IN
        SELECT DISTINCT bucket_of(clock_ms(floor), t.retention_days) + w FROM tenants t CROSS JOIN generate_series(0, ahead) AS w
        ORDER BY 1
    LOOP
        IF to_regclass('journal_' || b) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE journal_%s PARTITION OF journal FOR VALUES FROM (%s) TO (%s)', b, b, b + 1);
                EXECUTE format('CREATE TABLE inbox_%s PARTITION OF inbox FOR VALUES FROM (%s) TO (%s)', b, b, b + 1);
                made := made + 1;
            EXCEPTION WHEN check_violation OR duplicate_table THEN
                NULL;
            END;
        END IF;
    END LOOP;
    RETURN made;
END
$$;

-- The buckets whose time is over, as far as they can still hold anything: those with partitions, and those of the last
-- two years for every retention class.
CREATE FUNCTION expired_buckets(floor bigint) RETURNS SETOF int LANGUAGE sql AS $$
    SELECT b FROM (
        SELECT substring(c.relname FROM '^journal_([0-9]+)$')::int
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'journal'::regclass AND c.relname ~ '^journal_[0-9]+$'
        UNION
        SELECT t.retention_days * 10000 + w
        FROM (SELECT DISTINCT retention_days FROM tenants) AS t
        CROSS JOIN generate_series((clock_ms(floor) / 604800000)::int - 104 - t.retention_days / 7,
                                   (clock_ms(floor) / 604800000)::int) AS w
        WHERE EXISTS (SELECT FROM tasks k WHERE k.bucket = t.retention_days * 10000 + w)
    ) AS bucket(b)
    WHERE bucket_expires_at(b) < clock_ms(floor)
    ORDER BY b
$$;

-- Moves up to `most` tasks on that are not past their retention, to the bucket of this week. Those in a worker's hands are
-- left for another time: what it appends meanwhile would go to where nobody looks for it. So are those that wait for
-- their turn in a thread: nothing of theirs is locked when it comes.
CREATE FUNCTION rehome_tasks(floor bigint, p_bucket int, most int) RETURNS int LANGUAGE plpgsql
SET lock_timeout = '1s' AS $$
DECLARE
    nums bigint[];
    ids uuid[];
    fresh int := bucket_of(clock_ms(floor), p_bucket / 10000);
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT array_agg(t.num) INTO nums FROM (
        SELECT num FROM tasks k
        WHERE bucket = p_bucket AND NOT EXISTS (SELECT FROM held h WHERE h.id = k.id)
          AND (status <> 0 OR paused_at IS NOT NULL OR EXISTS (SELECT FROM ready r WHERE r.task = k.num))
          AND (completed_at IS NULL OR completed_at + (p_bucket / 10000)::bigint * 86400000 > clock_ms(floor))
        LIMIT most
    ) AS t;
    -- A claim passes over what is locked in the queue; everything else that happens to a task locks its row.
    PERFORM 1 FROM ready WHERE task = ANY (nums) ORDER BY task FOR UPDATE;
    PERFORM 1 FROM tasks WHERE num = ANY (nums) ORDER BY num FOR NO KEY UPDATE;
    SELECT array_agg(t.num), array_agg(t.id) INTO nums, ids FROM tasks t
    WHERE t.num = ANY (nums) AND NOT EXISTS (SELECT FROM held h WHERE h.id = t.id)
      AND (t.status <> 0 OR t.paused_at IS NOT NULL OR EXISTS (SELECT FROM ready r WHERE r.task = t.num));
    IF nums IS NULL THEN
        RETURN 0;
    END IF;
    UPDATE journal SET bucket = fresh WHERE task = ANY (nums) AND bucket = p_bucket;
    UPDATE inbox SET bucket = fresh WHERE task = ANY (nums) AND bucket = p_bucket;
    UPDATE idempotency SET bucket = fresh WHERE bucket = p_bucket AND task = ANY (ids);
    UPDATE tasks SET bucket = fresh WHERE num = ANY (nums);
    RETURN cardinality(nums);
END
$$;

-- Removes up to `most` tasks of a bucket that are past their retention, with their keys and what lies beside their
-- journals; the journals themselves go with the bucket.
CREATE FUNCTION remove_tasks(floor bigint, p_bucket int, most int) RETURNS int LANGUAGE plpgsql
SET lock_timeout = '1s' AS $$
DECLARE
    nums bigint[];
    ids uuid[];
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    WITH gone AS (
        DELETE FROM tasks WHERE num IN (
            SELECT num FROM tasks
            WHERE bucket = p_bucket AND completed_at + (p_bucket / 10000)::bigint * 86400000 <= clock_ms(floor) LIMIT most
        ) RETURNING num, id
    )
    SELECT array_agg(num), array_agg(id) INTO nums, ids FROM gone;
    PERFORM drop_blob_refs(ids);
    DELETE FROM late_results WHERE task = ANY (nums);
    DELETE FROM idempotency WHERE bucket = p_bucket AND task = ANY (ids);
    RETURN coalesce(cardinality(nums), 0);
END
$$;

-- Drops what a bucket still holds; `false` where there is a task in it.
CREATE FUNCTION drop_bucket(p_bucket int) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '1s' AS $$
DECLARE
    part text;
BEGIN
    IF EXISTS (SELECT FROM tasks WHERE bucket = p_bucket) THEN
        RETURN false;
    END IF;
    FOREACH part IN ARRAY ARRAY['journal', 'inbox'] LOOP
        IF to_regclass(part || '_' || p_bucket) IS NOT NULL THEN
            EXECUTE format('DROP TABLE %I', part || '_' || p_bucket);
        ELSE
            EXECUTE format('DELETE FROM %I WHERE bucket = $1', part || '_rest') USING p_bucket;
        END IF;
    END LOOP;
    RETURN true;
END
$$;

-- Sets how many days after their end tasks of a tenant are kept that are created from now on; `false` where there is no
-- such tenant.
CREATE FUNCTION set_retention(p_name text, days int) RETURNS boolean LANGUAGE sql AS $$
    WITH changed AS (UPDATE tenants SET retention_days = days WHERE name = p_name RETURNING num)
    SELECT EXISTS (SELECT FROM changed)
$$;
