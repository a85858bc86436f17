-- Forgets what processes held that were seen to crash: whoever crashes alone is tried for ever.
CREATE OR REPLACE FUNCTION crashed(p_name text, p_crashes smallint) RETURNS void LANGUAGE sql AS $$
    UPDATE workers SET state = 1 WHERE state < 2 AND state = 0 AND name = p_name
$$;
