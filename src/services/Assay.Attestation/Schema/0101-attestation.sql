CREATE TABLE policy (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    active $integer$,
    staged $integer$,
    previous $integer$,
    changed_at $integer$ NOT NULL,
    changed_by TEXT NOT NULL
) $strict$;
CREATE INDEX policy_tenant ON policy (tenant);

CREATE TABLE policy_version (
    policy TEXT NOT NULL REFERENCES policy (id),
    version $integer$ NOT NULL,
    document TEXT NOT NULL,
    sha384 TEXT NOT NULL,
    created_at $integer$ NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (policy, version)
) $strict$;

-- Whose an audience is. One that a cloud prescribes is shared: several tenants may have it, and their tokens differ by their subjects.
CREATE TABLE audience (
    audience TEXT NOT NULL,
    tenant TEXT NOT NULL,
    policy TEXT,
    PRIMARY KEY (audience, tenant)
) $strict$;

CREATE TABLE appraisal (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    at $integer$ NOT NULL,
    actor TEXT NOT NULL,
    audience TEXT NOT NULL,
    policy TEXT NOT NULL,
    policy_version $integer$ NOT NULL,
    verdict TEXT NOT NULL,
    token_id TEXT,
    token_ends $integer$,
    nonce TEXT NOT NULL,
    verdict_sealed $bytes$ NOT NULL,
    evidence_sealed $bytes$,
    evidence_until $integer$,
    revoked_at $integer$,
    revoked_why TEXT
) $strict$;
CREATE INDEX appraisal_tenant_at ON appraisal (tenant, at);
CREATE INDEX appraisal_policy_at ON appraisal (policy, at);
CREATE INDEX appraisal_token ON appraisal (token_id);
CREATE INDEX appraisal_token_ends ON appraisal (token_ends);
CREATE INDEX appraisal_evidence_until ON appraisal (evidence_until);
