-- Endorsement keys that a tenant knows as its TPMs', by SHA-256 of TPMT_PUBLIC; hexadecimal, as all names here.
CREATE TABLE tpm_endorsement_key (
    tenant TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    enrolled_at $integer$ NOT NULL,
    enrolled_by TEXT NOT NULL,
    PRIMARY KEY (tenant, sha256)
) $strict$;

-- Credentials that wait for their answer. Of the secret only the digest is here.
CREATE TABLE tpm_credential (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    endorsement_key TEXT NOT NULL,
    attestation_key TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    expires_at $integer$ NOT NULL,
    redeemed_at $integer$
) $strict$;
CREATE INDEX tpm_credential_expiry ON tpm_credential (expires_at);

-- Attestation keys, by Name, that were found in the TPM of an enrolled endorsement key.
CREATE TABLE tpm_attestation_key (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    endorsement_key TEXT NOT NULL,
    activated_at $integer$ NOT NULL,
    activated_by TEXT NOT NULL,
    PRIMARY KEY (tenant, name),
    FOREIGN KEY (tenant, endorsement_key) REFERENCES tpm_endorsement_key (tenant, sha256) ON DELETE CASCADE
) $strict$;
CREATE INDEX tpm_attestation_key_endorsement ON tpm_attestation_key (tenant, endorsement_key);
