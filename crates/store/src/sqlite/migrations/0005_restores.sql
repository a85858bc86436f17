-- Since when a task is held back until somebody releases it; it is pending and not ready.
ALTER TABLE tasks ADD COLUMN paused_at INTEGER;
CREATE INDEX tasks_paused ON tasks (tenant) WHERE paused_at IS NOT NULL;

-- One row: what is known of the database as a whole.
CREATE TABLE installation (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    -- When it was last declared that the database had been restored to an earlier point.
    restored_at  INTEGER
) STRICT;
INSERT INTO installation (one) VALUES (1);
