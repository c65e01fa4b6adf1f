-- What a run came to in numbers, for metrics, as JSON; NULL for a run that is not measured.
ALTER TABLE runs ADD COLUMN measures TEXT;
