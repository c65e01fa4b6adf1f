
UPDATE runs SET measures = '{"lines":{"updated":1}}' WHERE run_id = '01980000-0000-7000-8000-000000000001';
