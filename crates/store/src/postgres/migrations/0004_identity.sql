-- Making the first tenant, its owner and its key, and agents: whoever comes at the same time waits for a lock.

CREATE FUNCTION bootstrap(p_tenant uuid, p_tenant_name text, p_user uuid, p_user_name text, p_role text, p_key bytea,
    p_retention_days int)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    tenant_num bigint;
    user_num bigint;
BEGIN
    LOCK TABLE tenants IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM tenants) THEN
        RETURN false;
    END IF;
    INSERT INTO tenants (id, name, created_at, retention_days)
    VALUES (p_tenant, p_tenant_name, clock_ms(0), p_retention_days) RETURNING num INTO tenant_num;
    INSERT INTO users (tenant, id, name, role, created_at) VALUES (tenant_num, p_user, p_user_name, p_role, clock_ms(0))
    RETURNING num INTO user_num;
    INSERT INTO api_keys (sha256, tenant, "user", created_at) VALUES (p_key, tenant_num, user_num, clock_ms(0));
    RETURN true;
END
$$;

-- Stores a version of an agent. `only_new`: refuses a name that is taken. Equal versions have equal bodies. Answers
-- nothing where the name is taken; `stored` is false where the newest version says exactly this already.
CREATE FUNCTION put_agent(p_tenant uuid, p_id uuid, p_name text, p_body bytea, p_created_by uuid, only_new boolean)
RETURNS TABLE (id uuid, version int, created_at bigint, stored boolean) LANGUAGE plpgsql AS $$
DECLARE
    tenant_num bigint;
    agent record;
BEGIN
    SELECT t.num INTO tenant_num FROM tenants t WHERE t.id = p_tenant FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no tenant %', p_tenant;
    END IF;
    SELECT a.num, a.id, a.newest INTO agent FROM agents a
    WHERE a.tenant = tenant_num AND a.name = p_name AND a.deleted_at IS NULL FOR NO KEY UPDATE;
    IF FOUND AND only_new THEN
        RETURN;
    ELSIF FOUND THEN
        RETURN QUERY SELECT agent.id, v.version, v.created_at, false FROM agent_versions v
        WHERE v.agent = agent.num AND v.version = agent.newest AND v.body = p_body;
        IF FOUND THEN
            RETURN;
        END IF;
        UPDATE agents SET newest = newest + 1 WHERE num = agent.num RETURNING agents.num, agents.id, agents.newest INTO agent;
    ELSE
        INSERT INTO agents (tenant, id, name, newest) VALUES (tenant_num, p_id, p_name, 1)
        RETURNING agents.num, agents.id, agents.newest INTO agent;
    END IF;
    RETURN QUERY
    INSERT INTO agent_versions AS v (agent, version, tenant, created_at, created_by, body)
    VALUES (agent.num, agent.newest, tenant_num, clock_ms(0), p_created_by, p_body)
    RETURNING agent.id, v.version, v.created_at, true;
END
$$;
