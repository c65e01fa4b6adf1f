-- Times are texts in UTC, `2026-12-01T00:00:00.000Z`, so that they sort; days are `2026-12-01`, months `2026-12`.
-- A tenant is a ConnectWise login company at its host. Organizations are Umbrella's. `psa_key` is what PSA IDs are matched by.

-- Every run that may write. `about` is what its command was about: a window, a run. Without `finished_at` it runs, or died.
CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    command TEXT NOT NULL,
    about TEXT,
    version TEXT NOT NULL,
    scheduled_at TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    outcome TEXT,
    problem TEXT,
    counts TEXT,
    calls TEXT
);
CREATE INDEX runs_by_start ON runs (tenant, started_at);

-- Every write of a record: noted before it is sent, settled by its end. Answers are JSON objects by question; only those that the
-- write sets.
CREATE TABLE writes (
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    org_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    psa_id TEXT NOT NULL,
    psa_key TEXT NOT NULL,
    company_id BIGINT NOT NULL,
    record_id BIGINT,
    state TEXT NOT NULL,
    old_answers TEXT NOT NULL,
    new_answers TEXT NOT NULL,
    noted_at TEXT NOT NULL,
    PRIMARY KEY (run_id, org_id, kind)
);
CREATE INDEX writes_by_company ON writes (psa_key, noted_at);
CREATE INDEX writes_by_state ON writes (state);

-- Answers that ConnectWise stores otherwise than they were sent.
CREATE TABLE altered_answers (
    tenant TEXT NOT NULL,
    record_id BIGINT NOT NULL,
    org_id BIGINT NOT NULL,
    question TEXT NOT NULL,
    sent TEXT NOT NULL,
    stored TEXT NOT NULL,
    PRIMARY KEY (tenant, record_id, question)
);

-- What Umbrella's reports say about a window that is over: the month cache, and, for calendar months, the monthly values. The same
-- for every tenant.
CREATE TABLE month_answers (
    org_id BIGINT NOT NULL,
    from_day TEXT NOT NULL,
    to_day TEXT NOT NULL,
    report TEXT NOT NULL,
    settings TEXT NOT NULL,
    answer TEXT NOT NULL,
    scheduled_at TEXT NOT NULL,
    read_at TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (org_id, from_day, to_day, report)
);

-- Seats, networks and agents as the last run of a month saw them.
CREATE TABLE month_counts (
    tenant TEXT NOT NULL,
    org_id BIGINT NOT NULL,
    month TEXT NOT NULL,
    psa_id TEXT NOT NULL,
    psa_key TEXT NOT NULL,
    seats BIGINT,
    networks_total BIGINT,
    networks_active BIGINT,
    agents_deployed BIGINT,
    agents_active BIGINT,
    scheduled_at TEXT NOT NULL,
    PRIMARY KEY (tenant, org_id, month)
);

-- Who may write what, until 60 s after the last renewal.
CREATE TABLE leases (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    run_id TEXT NOT NULL,
    renewed_at TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
);
