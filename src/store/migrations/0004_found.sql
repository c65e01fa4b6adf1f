-- The mapping lines as the last nightly run that looked at them left them. `up_to_date_at` is when one last made sure that the record says
-- all that it should.
CREATE TABLE found_lines (
    tenant TEXT NOT NULL,
    org_id BIGINT NOT NULL,
    psa_key TEXT NOT NULL,
    psa_id TEXT NOT NULL,
    bucket TEXT NOT NULL,
    looked_at TEXT NOT NULL,
    up_to_date_at TEXT,
    PRIMARY KEY (tenant, org_id, psa_key)
);

-- What a person should know about these lines, in order.
CREATE TABLE line_findings (
    tenant TEXT NOT NULL,
    org_id BIGINT NOT NULL,
    psa_key TEXT NOT NULL,
    place BIGINT NOT NULL,
    reason TEXT NOT NULL,
    severity TEXT NOT NULL,
    sentence TEXT NOT NULL,
    PRIMARY KEY (tenant, org_id, psa_key, place)
);

-- What a person should know that is about no mapping line, such as an organization that no line names: its id is the subject then.
CREATE TABLE general_findings (
    tenant TEXT NOT NULL,
    reason TEXT NOT NULL,
    subject TEXT NOT NULL,
    severity TEXT NOT NULL,
    sentence TEXT NOT NULL,
    found_at TEXT NOT NULL,
    PRIMARY KEY (tenant, reason, subject)
);
