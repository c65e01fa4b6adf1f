-- Which mapping lines a run was about: NULL for all of them, or, for example, `3 companies`.
ALTER TABLE runs ADD COLUMN scope TEXT;
