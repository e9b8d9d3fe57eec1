-- State, version and policy of a key are one record, encrypted and authenticated under the key encryption key for its tenant and name. When it is
-- to be destroyed is also beside it, to be found by; the record decides.
CREATE TABLE broker_key (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    revision $integer$ NOT NULL,
    destroy_at $integer$,
    record_sealed $bytes$ NOT NULL,
    PRIMARY KEY (tenant, id)
) $strict$;

-- What is not released: all freezes of a tenant that hold, one record, encrypted and authenticated in the same way.
CREATE TABLE broker_freezes (
    tenant TEXT NOT NULL PRIMARY KEY,
    freezes_sealed $bytes$ NOT NULL
) $strict$;

-- The secret of each version, encrypted for its tenant, name and version.
CREATE TABLE broker_key_version (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    version $integer$ NOT NULL,
    secret_sealed $bytes$ NOT NULL,
    PRIMARY KEY (tenant, id, version)
) $strict$;
