-- Every row carries its tenant. Inside the database tenants, agents and tasks are numbered: a number takes 8 bytes
-- where the 16 of its id would be repeated in every row and index. There are no foreign keys: what retention drops
-- must not be searched for references, and every function checks what it refers to.

-- One row. Whoever writes holds it FOR KEY SHARE; raising it takes FOR UPDATE, which waits for everybody who writes.
CREATE TABLE write_epoch (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch         bigint NOT NULL DEFAULT 1,
    -- The format that everything is written in from now on. A program that cannot read it does not begin to work.
    write_format  smallint NOT NULL DEFAULT 1
);
INSERT INTO write_epoch DEFAULT VALUES;

-- One row: what is known of the database as a whole.
CREATE TABLE installation (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- The server's number and the database's, as of the process that worked with them first: a copy has others.
    system_id       bigint,
    database_oid    bigint,
    -- The newest timeline that was seen: a failover raises it, and so does a restore.
    timeline        bigint,
    -- Why no task is given to any worker; NULL where that is done.
    halted          text,
    -- When it was last declared that the database had been restored to an earlier point.
    restored_at     bigint,
    -- The mark of the directory that large payloads lie in; NULL: in the table `blobs`.
    blob_directory  uuid
);
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE tenants (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE,
    name        text NOT NULL UNIQUE,
    created_at      bigint NOT NULL,
    -- How long its tasks are kept after their end.
    retention_days  int NOT NULL DEFAULT 30 CHECK (retention_days BETWEEN 1 AND 36500)
);

CREATE TABLE users (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      bigint NOT NULL,
    id          uuid NOT NULL UNIQUE,
    name        text NOT NULL,
    role        text NOT NULL,
    created_at  bigint NOT NULL
);

-- The key itself is never stored.
CREATE TABLE api_keys (
    sha256      bytea PRIMARY KEY,
    tenant      bigint NOT NULL,
    "user"      bigint NOT NULL,
    created_at  bigint NOT NULL
);

CREATE TABLE agents (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      bigint NOT NULL,
    id          uuid NOT NULL UNIQUE,
    name        text NOT NULL,
    newest      int NOT NULL,
    deleted_at  bigint
);
-- A deleted agent frees its name.
CREATE UNIQUE INDEX agents_by_name ON agents (tenant, name) WHERE deleted_at IS NULL;

-- Never updated: a version does not change once it was used.
CREATE TABLE agent_versions (
    agent       bigint NOT NULL,
    version     int NOT NULL,
    tenant      bigint NOT NULL,
    created_at  bigint NOT NULL,
    created_by  uuid,
    body        bytea NOT NULL,
    PRIMARY KEY (agent, version)
);

-- A task as it stands. Claiming one does not touch its row: who holds it stands in `held`. No index names a column
-- that an end or a wait changes, but for the partial ones of waits, so that these updates stay in their page.
CREATE TABLE tasks (
    num                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                 uuid NOT NULL UNIQUE,
    -- The partition of everything that belongs to the task, chosen at creation: its tenant's retention and the week.
    -- Children lie where their parent lies.
    bucket             int NOT NULL,
    tenant             bigint NOT NULL,
    agent              bigint NOT NULL,
    agent_version      int NOT NULL,
    priority           smallint NOT NULL,
    depth              smallint NOT NULL,
    -- The newest format of anything that was journaled for it: an older worker is not given the task.
    format             smallint NOT NULL,
    -- 0 ready or held, 2 waiting, 3 completed, 4 failed, 5 cancelled.
    status             smallint NOT NULL DEFAULT 0,
    -- As of the last wait or end; while it is ready or held, that row knows better.
    epoch              int NOT NULL DEFAULT 0,
    created_at         bigint NOT NULL,
    deadline_at        bigint,
    -- Since when it is held back until somebody releases it. Its status is 0 then, and it is neither ready nor held.
    paused_at          bigint,
    parent             bigint,
    parent_step        text,
    -- The thread that it belongs to; its row says whose turn it is.
    thread             bigint,
    created_by         uuid,
    traceparent        text,
    inbox_seq          bigint NOT NULL DEFAULT 0,
    -- As of the last wait or end.
    last_seq           bigint NOT NULL DEFAULT 0,
    -- When it becomes ready by itself, while it waits.
    wake_at            bigint,
    started_at         bigint,
    completed_at       bigint,
    -- The run that made it wait, so that one without entries recognizes itself when it is sent again.
    wait_run           bigint,
    wait_at            bigint,
    input_tokens       bigint NOT NULL DEFAULT 0,
    output_tokens      bigint NOT NULL DEFAULT 0,
    cached_tokens      bigint NOT NULL DEFAULT 0,
    reasoning_tokens   bigint NOT NULL DEFAULT 0,
    -- Billionths of a US dollar; NULL where a price is unknown.
    cost               bigint DEFAULT 0,
    -- JSON text: the creator's own words. Not jsonb, which refuses a NUL.
    metadata           text,
    -- Those of them that are strings, each as `"key":"value"` in JSON, for filters.
    labels             text[],
    input              bytea NOT NULL,
    waiting_for        bytea,
    outcome            bytea
) WITH (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- Lists, newest first: those of a tenant are merged from its agents'.
CREATE INDEX tasks_by_agent ON tasks (agent, num);
CREATE INDEX tasks_by_label ON tasks USING gin (labels) WHERE labels IS NOT NULL;
CREATE INDEX tasks_paused ON tasks (tenant, num) WHERE paused_at IS NOT NULL;
CREATE INDEX tasks_timers ON tasks (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX tasks_waiting ON tasks (agent, num) WHERE waiting_for IS NOT NULL;
CREATE INDEX tasks_by_parent ON tasks (parent) WHERE parent IS NOT NULL;
CREATE INDEX tasks_by_thread ON tasks (thread, num) WHERE thread IS NOT NULL;
-- Tasks lie in the order of their creation, so a summary of pages is enough.
CREATE INDEX tasks_by_bucket ON tasks USING brin (bucket) WITH (pages_per_range = 32, autosummarize = on);

-- Conversations. Whose turn it is and who comes next stands in the row itself, which everybody locks who changes it: a
-- table beside it would be read by a snapshot that is older than the lock. A task that waits for its turn is in no other
-- place: neither ready nor held.
CREATE TABLE threads (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          uuid NOT NULL UNIQUE,
    tenant      bigint NOT NULL,
    name        text,
    created_by  uuid,
    created_at  bigint NOT NULL,
    -- The task that is ready, held or waiting.
    active      bigint,
    -- Those that wait for their turn, in order.
    queue       bigint[] NOT NULL DEFAULT '{}',
    -- Those that gave way to a newer one and have not ended: to be cancelled. Only the active one among them is ready,
    -- held or waiting.
    superseded  bigint[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX threads_by_name ON threads (tenant, name) WHERE name IS NOT NULL;
CREATE INDEX threads_by_tenant ON threads (tenant, num);
CREATE INDEX threads_queueing ON threads (tenant) WHERE queue <> '{}' OR superseded <> '{}';
CREATE INDEX threads_superseding ON threads (num) WHERE superseded <> '{}';

-- What is ready: the queue, and the truth of it. Ageing is a constant: a step of priority is worth so many
-- milliseconds of waiting, so that a claim reads heads and computes nothing. `ready_at` grows along each priority of
-- each tenant, which lets a claim begin where the last one ended and not at the dead rows before.
CREATE TABLE ready (
    task        bigint PRIMARY KEY,
    tenant      bigint NOT NULL,
    priority    smallint NOT NULL,
    format      smallint NOT NULL,
    epoch       int NOT NULL,
    crashes     smallint NOT NULL DEFAULT 0,
    ready_at    bigint NOT NULL,
    started_at  bigint,
    -- Seq of the newest entry when its worker died last.
    crash_seq   bigint,
    parent      bigint
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ready_by_age ON ready (tenant, priority, ready_at);
-- Whose parent may have ended: a few among the many.
CREATE INDEX ready_children ON ready (task) WHERE parent IS NOT NULL;
-- Tasks that were in the hands of workers that crashed, twice or more without a committed step in between.
CREATE INDEX ready_suspects ON ready (task) WHERE crashes >= 2;

-- Which worker advances which task. Whatever an append has to know of its task is repeated here.
CREATE TABLE held (
    id          uuid PRIMARY KEY,
    worker      bigint NOT NULL,
    task        bigint NOT NULL,
    bucket      int NOT NULL,
    tenant      bigint NOT NULL,
    parent      bigint,
    priority    smallint NOT NULL,
    format      smallint NOT NULL,
    epoch       int NOT NULL,
    crashes     smallint NOT NULL,
    -- Since when it was ready when it was claimed.
    ready_at    bigint NOT NULL,
    started_at  bigint NOT NULL,
    claimed_at  bigint NOT NULL,
    crash_seq   bigint
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX held_by_worker ON held (worker);
CREATE INDEX held_children ON held (task) WHERE parent IS NOT NULL;

-- Payloads are opaque bytes: `\u0000` from a tool would fail a whole batch as jsonb.
CREATE TABLE journal (
    task        bigint NOT NULL,
    seq         bigint NOT NULL,
    -- The worker's number for the run; NULL where the entry came from outside.
    run         bigint,
    at          bigint NOT NULL,
    tenant      bigint NOT NULL,
    bucket      int NOT NULL,
    epoch       int NOT NULL,
    entry       bytea NOT NULL,
    PRIMARY KEY (task, seq, bucket)
) PARTITION BY RANGE (bucket);
-- Takes what no partition was made for in time.
CREATE TABLE journal_rest PARTITION OF journal DEFAULT;

-- A child's end is not copied: `child` names the task whose row holds it.
CREATE TABLE inbox (
    task        bigint NOT NULL,
    id          bigint NOT NULL,
    at          bigint NOT NULL,
    child       bigint,
    tenant      bigint NOT NULL,
    bucket      int NOT NULL,
    dedupe      bytea NOT NULL,
    body        bytea,
    PRIMARY KEY (task, id, bucket),
    UNIQUE (task, dedupe, bucket)
) PARTITION BY RANGE (bucket);
CREATE TABLE inbox_rest PARTITION OF inbox DEFAULT;

CREATE TABLE late_results (
    num         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      bigint NOT NULL,
    task        bigint NOT NULL,
    epoch       int NOT NULL,
    step        text NOT NULL,
    at          bigint NOT NULL,
    result      bytea NOT NULL
);
CREATE INDEX late_results_by_task ON late_results (task);

-- Kept as long as the task.
CREATE TABLE idempotency (
    tenant      bigint NOT NULL,
    key         bytea NOT NULL,
    body        bytea NOT NULL,
    task        uuid NOT NULL,
    bucket      int NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE INDEX idempotency_by_bucket ON idempotency (bucket);

-- Incarnations of workers. Their row is the fence: every append and claim holds it FOR KEY SHARE, which neither a
-- beat nor a death waits for; a takeover takes FOR UPDATE, and so comes after everything that was in flight.
--
-- Their numbers are drawn and not counted: a database that was restored to an earlier point would give the number of a
-- worker that still lives a second time.
CREATE TABLE workers (
    id             bigint PRIMARY KEY,
    name           text NOT NULL,
    reads_format   smallint NOT NULL,
    -- 0 alive, 1 dead and perhaps still the owner of tasks, 2 dead and owner of none.
    state          smallint NOT NULL DEFAULT 0,
    registered_at  bigint NOT NULL,
    beats          bigint NOT NULL DEFAULT 0,
    beat_at        bigint NOT NULL
) WITH (fillfactor = 20);
CREATE INDEX workers_not_gone ON workers (state) WHERE state < 2;

-- Large payloads, in chunks.
CREATE TABLE blobs (
    tenant      bigint NOT NULL,
    sha256      bytea NOT NULL,
    chunk       int NOT NULL,
    at          bigint NOT NULL,
    data        bytea NOT NULL,
    PRIMARY KEY (tenant, sha256, chunk)
);

-- Which task a large payload was written for; the nil one: something that is never removed.
CREATE TABLE blob_refs (
    tenant      bigint NOT NULL,
    sha256      bytea NOT NULL,
    task        uuid NOT NULL,
    at          bigint NOT NULL,
    -- Whether the task was found to exist.
    checked     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, sha256, task)
);
CREATE INDEX blob_refs_by_task ON blob_refs (task);
CREATE INDEX blob_refs_unchecked ON blob_refs (at) WHERE NOT checked;

-- Large payloads that lost a reference, and how often.
CREATE TABLE blob_garbage (
    tenant      bigint NOT NULL,
    sha256      bytea NOT NULL,
    marks       int NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, sha256)
);

-- What is large is often compressed already.
ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTERNAL;

-- Milliseconds since 1970; `floor` is what the caller has seen: a clock that jumps back stands still until it has
-- caught up.
CREATE FUNCTION clock_ms(floor bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT greatest(floor, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
$$;

-- The bucket of a task that is created now: its retention in days, and weeks since 1970 in the last four digits.
CREATE FUNCTION bucket_of(at bigint, retention_days int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT retention_days * 10000 + (at / 604800000)::int
$$;
