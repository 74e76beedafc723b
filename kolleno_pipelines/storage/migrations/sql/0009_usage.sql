-- What a month's requests to a vendor come to, and when a sign-in ends for good. Written for PostgreSQL 15 and newer.

CREATE TABLE raw.monthly_usage (
    account text NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    connection text NOT NULL,
    requests bigint NOT NULL,
    received_bytes bigint NOT NULL,
    PRIMARY KEY (account, month, connection)
);
COMMENT ON TABLE raw.monthly_usage IS 'Requests that were sent to each vendor account in a calendar month (UTC), and the bytes of the answers'' bodies as they came over the line, by the connection that asked. Written every few seconds: a process that is killed forgets the last ones.';
COMMENT ON COLUMN raw.monthly_usage.account IS 'As in raw.rate_limits: the system and the vendor''s id of the account.';
COMMENT ON COLUMN raw.monthly_usage.month IS 'Its first day.';

ALTER TABLE raw.oauth_tokens ADD COLUMN sign_in_ends_at timestamptz;
COMMENT ON COLUMN raw.oauth_tokens.sign_in_ends_at IS 'When a person must sign in again, however much the tokens are used; empty where the vendor has no such end.';
COMMENT ON COLUMN raw.oauth_tokens.signed_in_at IS 'When a person last signed in.';

-- The one vendor so far that ends sign-ins (after five years) names the account realmId.
UPDATE raw.oauth_tokens SET sign_in_ends_at = signed_in_at + interval '1825 days' WHERE account -> 'realmId' IS NOT NULL;
