-- Where guests of Confidential Containers find a key: REPOSITORY/TYPE/TAG, of one key of a tenant alone. It is also in the key's record, and counts there.
ALTER TABLE broker_key ADD COLUMN resource TEXT;

CREATE UNIQUE INDEX broker_key_resource ON broker_key (tenant, resource);

-- Sessions of the KBS protocol, by the SHA-256 of their ids. What decides is encrypted and authenticated for its session.
CREATE TABLE kbs_session (
    id TEXT NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    expires_at $integer$ NOT NULL,
    tried_at $integer$,
    session_sealed $bytes$ NOT NULL,
    token_sealed $bytes$,
    evidence_sealed $bytes$
) $strict$;

CREATE INDEX kbs_session_ends ON kbs_session (expires_at);
