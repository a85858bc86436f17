-- Conversations, whose tasks run one after another.
CREATE TABLE threads (
    num         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    tenant      INTEGER NOT NULL REFERENCES tenants (num),
    name        TEXT,
    created_by  BLOB,
    created_at  INTEGER NOT NULL,
    -- The task that is ready, running or waiting for something from outside.
    active      INTEGER
) STRICT;
CREATE UNIQUE INDEX threads_by_name ON threads (tenant, name) WHERE name IS NOT NULL;
CREATE INDEX threads_by_tenant ON threads (tenant);

-- The thread that a task belongs to.
ALTER TABLE tasks ADD COLUMN thread INTEGER;
-- The order of those that wait for their turn; such a task is pending and not ready. NULL for all others.
ALTER TABLE tasks ADD COLUMN thread_place INTEGER;
-- Whether it gave way to a newer one and has not ended: it is to be cancelled.
ALTER TABLE tasks ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tasks_by_thread ON tasks (thread, status) WHERE thread IS NOT NULL;
CREATE INDEX tasks_queued ON tasks (thread, thread_place) WHERE thread_place IS NOT NULL;
CREATE INDEX tasks_superseded ON tasks (thread) WHERE superseded = 1;
