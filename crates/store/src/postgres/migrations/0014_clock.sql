-- min-reader: 12
-- A cast rounds to the nearest, so that an entry could be dated up to half a millisecond after it had been committed.
CREATE OR REPLACE FUNCTION clock_ms(floor bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT greatest(floor, trunc(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
$$;
