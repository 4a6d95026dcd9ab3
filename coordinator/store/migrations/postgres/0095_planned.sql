-- +goose Up

-- Revision by which everybody was last planned, or found not to be touched by the edits since.
ALTER TABLE system ADD COLUMN planned BIGINT NOT NULL DEFAULT 0;
UPDATE system SET planned = read_as;

-- +goose Down
ALTER TABLE system DROP COLUMN planned;
