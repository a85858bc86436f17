-- Every row carries its tenant. Inside the file tenants, agents and tasks are numbered: a number takes one to four
-- bytes where the 16 of its id would be repeated in every row and index.

CREATE TABLE tenants (
    num         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    num         INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL REFERENCES tenants (num),
    id          BLOB NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    role        TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

-- The key itself is never stored.
CREATE TABLE api_keys (
    sha256      BLOB PRIMARY KEY,
    tenant      INTEGER NOT NULL REFERENCES tenants (num),
    user        INTEGER NOT NULL REFERENCES users (num),
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    num         INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL REFERENCES tenants (num),
    id          BLOB NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    newest      INTEGER NOT NULL,
    deleted_at  INTEGER
) STRICT;

-- A deleted agent frees its name.
CREATE UNIQUE INDEX agents_by_name ON agents (tenant, name) WHERE deleted_at IS NULL;

-- Never updated: a version does not change once it was used.
CREATE TABLE agent_versions (
    agent       INTEGER NOT NULL REFERENCES agents (num),
    version     INTEGER NOT NULL,
    tenant      INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    created_by  BLOB,
    body        BLOB NOT NULL,
    PRIMARY KEY (agent, version)
) STRICT, WITHOUT ROWID;

-- `num` follows the order of commits, and so does `created_at`: newest first is `num` descending.
CREATE TABLE tasks (
    num                INTEGER PRIMARY KEY,
    id                 BLOB NOT NULL UNIQUE,
    tenant             INTEGER NOT NULL REFERENCES tenants (num),
    agent              INTEGER NOT NULL REFERENCES agents (num),
    agent_version      INTEGER NOT NULL,
    priority           INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    deadline_at        INTEGER,
    parent             INTEGER REFERENCES tasks (num),
    parent_step        TEXT,
    depth              INTEGER NOT NULL,
    created_by         BLOB,
    traceparent        TEXT,
    -- The newest format of anything that was journaled for it: an older worker is not given the task.
    format             INTEGER NOT NULL,
    -- 0 pending, 1 running, 2 waiting, 3 completed, 4 failed, 5 cancelled.
    status             INTEGER NOT NULL,
    owner              INTEGER,
    epoch              INTEGER NOT NULL DEFAULT 0,
    inbox_seq          INTEGER NOT NULL DEFAULT 0,
    -- As of the last state change.
    last_seq           INTEGER NOT NULL DEFAULT 0,
    -- The place in the order of claims while it is ready, else NULL.
    ready_due          INTEGER,
    -- When it becomes ready by itself, while it waits.
    wake_at            INTEGER,
    started_at         INTEGER,
    completed_at       INTEGER,
    -- The run that made it wait, so that one without entries recognizes itself when it is sent again.
    wait_run           INTEGER,
    wait_at            INTEGER,
    waiting_for        BLOB,
    outcome            BLOB,
    input_tokens       INTEGER NOT NULL DEFAULT 0,
    output_tokens      INTEGER NOT NULL DEFAULT 0,
    cached_tokens      INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens   INTEGER NOT NULL DEFAULT 0,
    -- Billionths of a US dollar; NULL where a price is unknown.
    cost               INTEGER DEFAULT 0
) STRICT;

-- What is ready, in the order of claims. A partial index is the queue: a task is in it exactly while `ready_due` is
-- set, so that queue and state cannot disagree, and joining it costs no row of its own. Priority and format ride
-- along so that claims and the backlog are answered from the index.
CREATE INDEX tasks_ready ON tasks (ready_due, priority, format) WHERE ready_due IS NOT NULL;
-- Waits that end by time.
CREATE INDEX tasks_timers ON tasks (wake_at) WHERE wake_at IS NOT NULL;
-- Lists and counts; both end with `num`, so that each status is read newest first without a sort.
CREATE INDEX tasks_by_status ON tasks (tenant, status);
CREATE INDEX tasks_by_agent ON tasks (tenant, agent, status);
-- Children of a task, and those that outlived it.
CREATE INDEX tasks_by_parent ON tasks (parent, status) WHERE parent IS NOT NULL;
CREATE INDEX tasks_live_children ON tasks (parent) WHERE parent IS NOT NULL AND completed_at IS NULL;

-- What is large and never changes, apart from the row that changes with every claim, wait and end.
CREATE TABLE task_inputs (
    task        INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL,
    input       BLOB NOT NULL,
    -- JSON text, because lists filter by it; NULL where there is none.
    metadata    TEXT
) STRICT;

-- Entries lie in the order of commits and are found through the index. Keyed by (task, seq) alone, the entries of a
-- few hundred running tasks lie on as many pages, and every commit writes them all: measured at 4.4 times the bytes
-- and 1.8 times the processor time of this.
CREATE TABLE journal (
    num         INTEGER PRIMARY KEY,
    task        INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    tenant      INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    -- The worker's number for the run; NULL where the entry came from outside.
    run         INTEGER,
    at          INTEGER NOT NULL,
    entry       BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX journal_by_task ON journal (task, seq);

-- A child's end is not copied: `child` names the task whose row holds it.
CREATE TABLE inbox (
    task        INTEGER NOT NULL,
    id          INTEGER NOT NULL,
    tenant      INTEGER NOT NULL,
    dedupe      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    body        BLOB,
    child       INTEGER,
    PRIMARY KEY (task, id),
    UNIQUE (task, dedupe)
) STRICT, WITHOUT ROWID;

-- Kept as long as the task.
CREATE TABLE idempotency (
    tenant      INTEGER NOT NULL,
    key         TEXT NOT NULL,
    body        BLOB NOT NULL,
    task        INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

-- Of the installation, not of a tenant. Numbers are never used twice: a dead worker's name must not come back.
CREATE TABLE workers (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT NOT NULL,
    reads_format   INTEGER NOT NULL,
    registered_at  INTEGER NOT NULL,
    -- 0 alive, 1 dead and perhaps still the owner of tasks, 2 dead and owner of none.
    state          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX workers_by_state ON workers (state) WHERE state < 2;

CREATE TABLE late_results (
    num         INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL,
    task        INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    step        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    result      BLOB NOT NULL
) STRICT;
CREATE INDEX late_results_by_task ON late_results (task);
