INSERT INTO found_lines (tenant, org_id, psa_key, psa_id, bucket, looked_at, up_to_date_at) VALUES
    ('acme at api-na.myconnectwise.net', 1, 'acme süd', 'ACME Süd', 'held', '2026-11-02T00:00:00.000Z', '2026-11-01T00:00:00.000Z'),
    ('acme at api-na.myconnectwise.net', 2, 'beta', 'BETA', 'skipped', '2026-11-02T00:00:00.000Z', NULL);

INSERT INTO line_findings (tenant, org_id, psa_key, place, reason, severity, sentence) VALUES
    ('acme at api-na.myconnectwise.net', 1, 'acme süd', 0, 'value-fell-to-zero', 'failure', 'Seats fell to 0'),
    ('acme at api-na.myconnectwise.net', 1, 'acme süd', 1, 'company-inactive', 'attention', 'the company''s status is „inactive“');

INSERT INTO general_findings (tenant, reason, subject, severity, sentence, found_at) VALUES
    ('acme at api-na.myconnectwise.net', 'unmapped', '3', 'info', '"Gamma" has no company in the mapping', '2026-11-02T00:00:00.000Z');
