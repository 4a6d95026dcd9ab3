-- +goose Up

-- Whether a job counts against the threshold of its class. Of the jobs before, those of the last day that took something away for certain do.
ALTER TABLE job ADD COLUMN counts INTEGER NOT NULL DEFAULT 0;
UPDATE job SET counts = 1 WHERE class IN ('disable','delete','move','clear') AND state IN ('queued','waiting','sent','done','failed')
  AND made >= (SELECT coalesce(max(made), 0) FROM job) - 86400000;

-- +goose Down
ALTER TABLE job DROP COLUMN counts;
