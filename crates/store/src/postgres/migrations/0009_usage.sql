-- What tenants have consumed, by hours. No step and no end writes here: a scheduler reads the tasks in the order of their
-- numbers, each once, and remembers those that have not ended.

CREATE TABLE usage_hours (
    tenant            bigint NOT NULL,
    hour              bigint NOT NULL,
    agent             bigint NOT NULL,
    -- All zeros where nobody created the task.
    "user"            uuid NOT NULL,
    completed         bigint NOT NULL,
    failed            bigint NOT NULL,
    cancelled         bigint NOT NULL,
    input_tokens      bigint NOT NULL,
    output_tokens     bigint NOT NULL,
    cached_tokens     bigint NOT NULL,
    reasoning_tokens  bigint NOT NULL,
    cost              bigint NOT NULL,
    unpriced          bigint NOT NULL,
    PRIMARY KEY (tenant, hour, agent, "user")
);

-- Tasks that had not ended when they were looked at.
CREATE TABLE usage_open (
    task  bigint PRIMARY KEY
);

-- Tasks up to `counted` were looked at. Those up to `known` may be once every transaction below `fence` has ended: until
-- then a lower number may still be committed. Of the open ones, those up to `reopened` were looked at again.
CREATE TABLE usage_mark (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    counted   bigint NOT NULL DEFAULT 0,
    known     bigint NOT NULL DEFAULT 0,
    fence     xid8 NOT NULL DEFAULT '0',
    reopened  bigint NOT NULL DEFAULT 0
);
INSERT INTO usage_mark DEFAULT VALUES;

-- Adds tasks that have ended to the sums of the hours of their ends.
CREATE FUNCTION count_usage(nums bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO usage_hours AS u (tenant, hour, agent, "user", completed, failed, cancelled, input_tokens, output_tokens,
                                  cached_tokens, reasoning_tokens, cost, unpriced)
    SELECT t.tenant, t.completed_at / 3600000 * 3600000, t.agent,
           coalesce(t.created_by, '00000000-0000-0000-0000-000000000000'),
           count(*) FILTER (WHERE t.status = 3), count(*) FILTER (WHERE t.status = 4), count(*) FILTER (WHERE t.status = 5),
           coalesce(sum(t.input_tokens) FILTER (WHERE counts), 0), coalesce(sum(t.output_tokens) FILTER (WHERE counts), 0),
           coalesce(sum(t.cached_tokens) FILTER (WHERE counts), 0), coalesce(sum(t.reasoning_tokens) FILTER (WHERE counts), 0),
           coalesce(sum(t.cost) FILTER (WHERE counts), 0), count(*) FILTER (WHERE counts AND t.cost IS NULL)
    FROM tasks t LEFT JOIN tasks p ON p.num = t.parent
    -- What a task consumed that another one called is in that one's sum, unless it outlived it.
    CROSS JOIN LATERAL (SELECT t.parent IS NULL OR coalesce(t.completed_at > p.completed_at, false) AS counts) AS c
    WHERE t.num = ANY (nums)
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (tenant, hour, agent, "user") DO UPDATE SET
        completed = u.completed + excluded.completed, failed = u.failed + excluded.failed,
        cancelled = u.cancelled + excluded.cancelled, input_tokens = u.input_tokens + excluded.input_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens, cached_tokens = u.cached_tokens + excluded.cached_tokens,
        reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens, cost = u.cost + excluded.cost,
        unpriced = u.unpriced + excluded.unpriced
$$;

-- Looks at up to `most` tasks, half of them at most again. Whoever comes second while one does it has nothing to do.
CREATE FUNCTION roll_up_usage(most int) RETURNS int LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    m record;
    done bigint[];
    fresh bigint[];
    again bigint[];
BEGIN
    PERFORM 1 FROM write_epoch WHERE one FOR KEY SHARE;
    SELECT * INTO m FROM usage_mark FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    -- Whoever creates tasks has an identity as a transaction before it takes numbers for them.
    IF m.counted >= m.known AND pg_snapshot_xmin(pg_current_snapshot()) >= m.fence THEN
        m.known := (SELECT coalesce(max(num), 0) FROM tasks);
        m.fence := pg_snapshot_xmax(pg_current_snapshot());
        UPDATE usage_mark SET known = m.known, fence = m.fence;
    END IF;
    IF m.counted < m.known AND pg_snapshot_xmin(pg_current_snapshot()) >= m.fence THEN
        SELECT array_agg(num) INTO fresh FROM (
            SELECT num FROM tasks WHERE num > m.counted AND num <= m.known ORDER BY num LIMIT most / 2) AS t;
        m.counted := CASE WHEN cardinality(fresh) < most / 2 OR fresh IS NULL THEN m.known ELSE fresh[cardinality(fresh)] END;
        INSERT INTO usage_open SELECT num FROM tasks WHERE num = ANY (fresh) AND status <= 2;
        SELECT array_agg(num) INTO done FROM tasks WHERE num = ANY (fresh) AND status > 2;
    END IF;
    SELECT array_agg(task) INTO again FROM (
        SELECT task FROM usage_open WHERE task > m.reopened AND (fresh IS NULL OR task < fresh[1]) ORDER BY task LIMIT most / 2) AS t;
    m.reopened := CASE WHEN cardinality(again) < most / 2 OR again IS NULL THEN 0 ELSE again[cardinality(again)] END;
    IF again IS NOT NULL THEN
        -- One that retention has removed meanwhile had ended long before.
        WITH over AS (
            DELETE FROM usage_open o USING unnest(again) AS a(task)
            WHERE o.task = a.task AND NOT EXISTS (SELECT FROM tasks t WHERE t.num = o.task AND t.status <= 2)
            RETURNING o.task
        )
        SELECT done || array_agg(task) INTO done FROM over;
    END IF;
    IF done IS NOT NULL THEN
        PERFORM count_usage(done);
    END IF;
    UPDATE usage_mark SET counted = m.counted, reopened = m.reopened;
    -- Of the open ones, those that end a round do not call for another one at once.
    RETURN coalesce(cardinality(fresh), 0) + CASE WHEN m.reopened > 0 THEN cardinality(again) ELSE 0 END;
END
$$;
