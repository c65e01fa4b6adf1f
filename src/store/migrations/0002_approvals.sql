-- The records of a configuration type that the last run over the whole mapping saw. `type_key` is what types are matched by.
CREATE TABLE known_records (
    tenant TEXT NOT NULL,
    type_key TEXT NOT NULL,
    record_id BIGINT NOT NULL,
    psa_id TEXT NOT NULL,
    psa_key TEXT NOT NULL,
    org_id BIGINT,
    PRIMARY KEY (tenant, type_key, record_id)
);

-- Rules that the next nightly run may pass. Empty PSA ID: for all companies.
CREATE TABLE approvals (
    tenant TEXT NOT NULL,
    rule TEXT NOT NULL,
    psa_id TEXT NOT NULL,
    psa_key TEXT NOT NULL,
    given_at TEXT NOT NULL,
    PRIMARY KEY (tenant, rule, psa_key)
);

-- Rules that a run was allowed to pass. Without `given_at` its own command said so.
CREATE TABLE run_approvals (
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    rule TEXT NOT NULL,
    psa_id TEXT NOT NULL,
    psa_key TEXT NOT NULL,
    given_at TEXT,
    PRIMARY KEY (run_id, rule, psa_key)
);
