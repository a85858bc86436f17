-- A store that gives every task of a thread its turn at once, whoever is active.
DO $$
DECLARE
    sound text := pg_get_functiondef('create_in_threads'::regproc);
    broken text := replace(sound, 'IF th.active IS NULL THEN', 'IF true THEN');
BEGIN
    IF broken = sound THEN
        RAISE EXCEPTION 'create_in_threads has changed: plant this fault anew';
    END IF;
    EXECUTE broken;
END
$$;
