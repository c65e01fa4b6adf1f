
INSERT INTO known_records (tenant, type_key, record_id, psa_id, psa_key, org_id) VALUES
    ('acme at api-na.myconnectwise.net', 'opendns_umbrella', 41, 'ACME Süd', 'acme süd', 1),
    ('acme at api-na.myconnectwise.net', 'opendns_umbrella', 42, 'BETA', 'beta', NULL);

INSERT INTO approvals (tenant, rule, psa_id, psa_key, given_at) VALUES
    ('acme at api-na.myconnectwise.net', 'max-creates', '', '', '2026-11-02T09:00:00.000Z'),
    ('acme at api-na.myconnectwise.net', 'value-fell-to-zero', 'ACME Süd', 'acme süd', '2026-11-02T09:01:00.000Z');

INSERT INTO run_approvals (run_id, rule, psa_id, psa_key, given_at) VALUES
    ('01980000-0000-7000-8000-000000000001', 'max-creates', '', '', NULL),
    ('01980000-0000-7000-8000-000000000001', 'value-fell-to-zero', 'ACME Süd', 'acme süd', '2026-10-31T09:01:00.000Z');
