-- Scripts only add: a replica of the release before keeps working while this one is rolled out. Times are milliseconds since 1970.
CREATE TABLE tenant (
    id TEXT NOT NULL PRIMARY KEY,
    created_at $integer$ NOT NULL,
    disabled_at $integer$,
    daily_appraisals $integer$
) $strict$;

CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenant (id),
    name TEXT NOT NULL,
    secret_sha256 $bytes$ NOT NULL,
    scopes TEXT NOT NULL,
    created_at $integer$ NOT NULL,
    created_by TEXT NOT NULL,
    expires_at $integer$,
    revoked_at $integer$
) $strict$;
CREATE INDEX api_key_tenant ON api_key (tenant);

CREATE TABLE challenge (
    id TEXT NOT NULL PRIMARY KEY,
    nonce TEXT NOT NULL,
    purpose TEXT NOT NULL,
    tenant TEXT NOT NULL,
    expires_at $integer$ NOT NULL,
    redeemed_at $integer$
) $strict$;
CREATE INDEX challenge_expiry ON challenge (expires_at);

CREATE TABLE signing_key (
    id TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    wrapped $bytes$ NOT NULL,
    created_at $integer$ NOT NULL,
    active_from $integer$ NOT NULL,
    withdrawn_at $integer$
) $strict$;

CREATE TABLE audit (
    writer TEXT NOT NULL,
    position $integer$ NOT NULL,
    at $integer$ NOT NULL,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    event TEXT NOT NULL,
    mac $bytes$ NOT NULL,
    PRIMARY KEY (writer, position)
) $strict$;
CREATE INDEX audit_at ON audit (at);

CREATE TABLE daily_usage (
    tenant TEXT NOT NULL,
    day $integer$ NOT NULL,
    appraisals $integer$ NOT NULL,
    PRIMARY KEY (tenant, day)
) $strict$;

CREATE TABLE service_state (
    name TEXT NOT NULL PRIMARY KEY,
    value $bytes$ NOT NULL
) $strict$;
