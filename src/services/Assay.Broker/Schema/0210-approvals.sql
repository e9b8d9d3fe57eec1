-- Acts that wait for a second person: each is encrypted and authenticated for its tenant and id. The end is also in what is encrypted, and counts there.
CREATE TABLE broker_approval (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    expires_at $integer$ NOT NULL,
    act_sealed $bytes$ NOT NULL,
    secret_sealed $bytes$,
    PRIMARY KEY (tenant, id)
) $strict$;
