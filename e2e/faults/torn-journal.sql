-- A database that forgets the newest entry of each task whose worker dies, although it had confirmed it.
CREATE FUNCTION tear() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM workers WHERE id = OLD.worker AND state > 0) THEN
        DELETE FROM journal j WHERE j.task = OLD.task AND j.bucket = OLD.bucket
            AND j.seq = (SELECT max(seq) FROM journal WHERE task = OLD.task AND bucket = OLD.bucket);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tear AFTER DELETE ON held FOR EACH ROW EXECUTE FUNCTION tear();
