-- What systems with an API need beside their payloads: turns at a vendor, shared by all processes, and OAuth tokens.
-- Written for PostgreSQL 15 and newer.

-- raw: turns at a vendor ------------------------------------------------------------------------------------------

CREATE TABLE raw.rate_limits (
    account text PRIMARY KEY,
    next_at double precision[] NOT NULL DEFAULT '{}',
    paused_until double precision NOT NULL DEFAULT 0,
    pause_reason text
);
COMMENT ON TABLE raw.rate_limits IS 'How far the requests to each vendor account are spaced out: one row per account, locked for a moment by each request. Moments are seconds since 1970 by this server''s clock.';
COMMENT ON COLUMN raw.rate_limits.next_at IS 'For each rate of the account when the next request would come, were there no burst (generic cell rate algorithm).';
COMMENT ON COLUMN raw.rate_limits.paused_until IS 'Nobody asks before: the vendor said so in an answer.';

CREATE TABLE raw.request_counts (
    account text NOT NULL,
    part bigint NOT NULL,
    requests integer NOT NULL,
    PRIMARY KEY (account, part)
);
COMMENT ON TABLE raw.request_counts IS 'Requests of accounts with a day limit, by part of the day (24 parts since 1970): what the limit is compared with.';

CREATE FUNCTION raw.take_turn(
    wanted text, intervals double precision[], tolerances double precision[], patience double precision,
    day_limit integer, day_part double precision, OUT wait double precision, OUT refused_by text
) LANGUAGE plpgsql AS $$
DECLARE
    present double precision;
    turn double precision;
    state raw.rate_limits;
    part_now bigint;
    part_first bigint;
    used bigint;
BEGIN
    SELECT * INTO state FROM raw.rate_limits WHERE account = wanted FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO raw.rate_limits (account) VALUES (wanted) ON CONFLICT DO NOTHING;
        SELECT * INTO state FROM raw.rate_limits WHERE account = wanted FOR UPDATE;
    END IF;
    present := extract(epoch FROM clock_timestamp());
    turn := greatest(present, state.paused_until);
    FOR i IN 1 .. cardinality(intervals) LOOP
        turn := greatest(turn, coalesce(state.next_at[i], 0) - tolerances[i]);
    END LOOP;
    wait := turn - present;
    IF wait > patience THEN
        refused_by := CASE WHEN state.paused_until - present > patience THEN coalesce(state.pause_reason, 'a pause') ELSE 'queue' END;
        RETURN;
    END IF;
    IF day_limit IS NOT NULL THEN
        part_now := floor(present / day_part);
        SELECT sum(c.requests), min(c.part) INTO used, part_first
        FROM raw.request_counts c WHERE c.account = wanted AND c.part >= part_now - 24;
        IF used >= day_limit THEN
            wait := (part_first + 25) * day_part - present;
            refused_by := 'day';
            RETURN;
        END IF;
        UPDATE raw.request_counts c SET requests = c.requests + 1 WHERE c.account = wanted AND c.part = part_now;
        IF NOT FOUND THEN
            DELETE FROM raw.request_counts c WHERE c.account = wanted AND c.part < part_now - 24;
            INSERT INTO raw.request_counts (account, part, requests) VALUES (wanted, part_now, 1);
        END IF;
    END IF;
    FOR i IN 1 .. cardinality(intervals) LOOP
        state.next_at[i] := greatest(coalesce(state.next_at[i], 0), turn) + intervals[i];
    END LOOP;
    UPDATE raw.rate_limits SET next_at = state.next_at WHERE account = wanted;
END $$;
COMMENT ON FUNCTION raw.take_turn IS 'Reserves the next turn at a vendor and says how long to wait for it (seconds); refused_by says why there is none within patience: queue, day, or what the vendor said.';

-- raw: OAuth tokens -----------------------------------------------------------------------------------------------

CREATE TABLE raw.oauth_tokens (
    connection text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('connected', 'needs_reauth')),
    state_reason text,
    state_since timestamptz NOT NULL DEFAULT now(),
    sealed bytea NOT NULL,
    scopes text[] NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL,
    refresh_expires_at timestamptz,
    account jsonb NOT NULL DEFAULT '{}',
    signed_in_at timestamptz NOT NULL DEFAULT now(),
    refreshed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE raw.oauth_tokens IS 'Tokens of each connection that a person signed in, one row each; the row is locked while a process asks the vendor for new ones.';
COMMENT ON COLUMN raw.oauth_tokens.state IS 'connected, or needs_reauth: a person must sign in again (kolleno connections login).';
COMMENT ON COLUMN raw.oauth_tokens.sealed IS 'Both tokens, encrypted (Fernet) with a key of KOLLENO_SECRET_KEY; nothing of them is anywhere else.';
COMMENT ON COLUMN raw.oauth_tokens.expires_at IS 'When the access token ends.';
COMMENT ON COLUMN raw.oauth_tokens.refresh_expires_at IS 'When the refresh token ends if it is not used; unknown where the vendor does not say.';
COMMENT ON COLUMN raw.oauth_tokens.account IS 'Which account of the vendor it is: what the redirect carried (realmId), or the connector asked for afterwards (tenantId).';
