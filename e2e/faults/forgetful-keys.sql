-- A store that forgets idempotency keys: a request that is sent again makes a second task.
CREATE FUNCTION forget_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.key := NEW.key || uuid_send(gen_random_uuid());
    RETURN NEW;
END
$$;
CREATE TRIGGER forget_key BEFORE INSERT ON idempotency FOR EACH ROW EXECUTE FUNCTION forget_key();
