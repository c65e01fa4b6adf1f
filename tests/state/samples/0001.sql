INSERT INTO runs (run_id, tenant, command, about, version, scheduled_at, started_at, finished_at, outcome, problem, counts, calls) VALUES
    ('01980000-0000-7000-8000-000000000001', 'acme at api-na.myconnectwise.net', 'backfill', '2026-10-01 to 2026-10-31', '0.1.0', '2026-11-01T00:00:00.000Z',
        '2026-11-01T00:00:00.500Z', '2026-11-01T00:09:00.000Z', 'degraded', 'one of „two“ isn''t reachable', '{"updated":1}',
        '{"umbrella":{"requests":9,"repeated":2,"unsuccessful":1},"connectwise":{"requests":4,"repeated":0,"unsuccessful":0}}'),
    ('01980000-0000-7000-8000-000000000002', 'acme at api-na.myconnectwise.net', 'sync', NULL, '0.1.0', '2026-11-02T00:00:00.000Z',
        '2026-11-02T00:00:00.000Z', NULL, NULL, NULL, NULL, NULL);

INSERT INTO writes (run_id, org_id, kind, psa_id, psa_key, company_id, record_id, state, old_answers, new_answers, noted_at) VALUES
    ('01980000-0000-7000-8000-000000000001', 1, 'update', 'ACME Süd', 'acme süd', 7, 41, 'done', '{"Seats":"4","Package":null}',
        '{"Seats":"5","Package":"Essentials"}', '2026-11-01T00:05:00.000Z'),
    ('01980000-0000-7000-8000-000000000002', 1, 'create', 'ACME Süd', 'acme süd', 7, NULL, 'sending', '{}',
        '{"Seats":"5","Package":"Essentials"}', '2026-11-02T00:05:00.000Z');

INSERT INTO altered_answers (tenant, record_id, org_id, question, sent, stored) VALUES
    ('acme at api-na.myconnectwise.net', 41, 1, 'Top Domains Last Month', 'zoë.example', 'zo?.example');

INSERT INTO month_answers (org_id, from_day, to_day, report, settings, answer, scheduled_at, read_at, run_id) VALUES
    (1, '2026-10-01', '2026-11-01', 'queries', 'api.umbrella.com', '1031', '2026-11-01T00:00:00.000Z', '2026-11-01T00:04:00.000Z',
        '01980000-0000-7000-8000-000000000001'),
    (1, '2026-10-01', '2026-11-01', 'threats', 'api.umbrella.com',
        '{"malware":{"sites":3,"requests":30},"botnet":{"sites":0,"requests":0}}', '2026-11-01T00:00:00.000Z',
        '2026-11-01T00:04:00.000Z', '01980000-0000-7000-8000-000000000001'),
    (1, '2026-10-01', '2026-11-01', 'top-domains', 'api.umbrella.com top 10', '["zoë.example","b.example"]', '2026-11-01T00:00:00.000Z',
        '2026-11-01T00:04:00.000Z', '01980000-0000-7000-8000-000000000001'),
    (1, '2026-10-01', '2026-11-01', 'top-domains-blocked', 'api.umbrella.com top 10', '[]', '2026-11-01T00:00:00.000Z',
        '2026-11-01T00:04:00.000Z', '01980000-0000-7000-8000-000000000001'),
    (1, '2026-10-01', '2026-11-01', 'top-categories', 'api.umbrella.com top 10', '[{"name":"News & Media","requests":12}]',
        '2026-11-01T00:00:00.000Z', '2026-11-01T00:04:00.000Z', '01980000-0000-7000-8000-000000000001');

INSERT INTO month_counts (tenant, org_id, month, psa_id, psa_key, seats, networks_total, networks_active, agents_deployed, agents_active,
    scheduled_at) VALUES
    ('acme at api-na.myconnectwise.net', 1, '2026-10', 'ACME Süd', 'acme süd', 5, 2, 1, NULL, NULL, '2026-11-01T00:00:00.000Z');

INSERT INTO leases (tenant, name, run_id, renewed_at) VALUES
    ('acme at api-na.myconnectwise.net', 'records', '01980000-0000-7000-8000-000000000002', '2026-11-02T00:05:10.000Z');
