-- +goose Up

-- The job whose request and answer show what stops a person's account, and of which the last check of a system was; 0
-- where nothing was asked for it.
ALTER TABLE problem ADD COLUMN job BIGINT NOT NULL DEFAULT 0;
ALTER TABLE checked ADD COLUMN job BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE problem DROP COLUMN job;
ALTER TABLE checked DROP COLUMN job;
