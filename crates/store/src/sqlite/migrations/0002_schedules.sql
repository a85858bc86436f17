CREATE TABLE schedules (
    num           INTEGER PRIMARY KEY,
    tenant        INTEGER NOT NULL REFERENCES tenants (num),
    id            BLOB NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    -- Raised with every change: what was decided from an older row is refused.
    revision      INTEGER NOT NULL,
    paused        INTEGER NOT NULL,
    -- 0 skip, 1 queue, 2 replace.
    overlap       INTEGER NOT NULL,
    -- NULL while it is paused, and where there is no occurrence any more.
    next_fire_at  INTEGER,
    last_fire_at  INTEGER,
    -- The newest task that it created: one at a time is open.
    last_task     INTEGER REFERENCES tasks (num),
    created_by    BLOB,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    body          BLOB NOT NULL,
    UNIQUE (tenant, name)
) STRICT;
CREATE INDEX schedules_due ON schedules (next_fire_at) WHERE next_fire_at IS NOT NULL;

-- What came of firings: those that wait, and the newest others. `num` follows their order.
CREATE TABLE schedule_firings (
    num        INTEGER PRIMARY KEY,
    schedule   INTEGER NOT NULL REFERENCES schedules (num),
    tenant     INTEGER NOT NULL,
    -- The task that it makes or would have made.
    id         BLOB NOT NULL UNIQUE,
    due_at     INTEGER NOT NULL,
    triggered  INTEGER NOT NULL,
    -- 0 created, 1 queued, 2 skipped, 3 replaced, 4 failed.
    state      INTEGER NOT NULL,
    why        TEXT,
    at         INTEGER NOT NULL
) STRICT;
CREATE INDEX schedule_firings_by_schedule ON schedule_firings (schedule);
CREATE INDEX schedule_firings_queued ON schedule_firings (schedule) WHERE state = 1;
