-- min-reader: 12
-- A worker that dies leaves its session: the server hears of a killed process at once, by its connection.

-- When the server was started in which a session of the worker holds the advisory lock of the worker's id; NULL where none
-- does, as behind a pooler. Only of that same start does a lock that nobody holds say anything: a server that was started
-- anew, or another one that took its place, has ended everybody's sessions.
ALTER TABLE workers ADD COLUMN session timestamptz;
