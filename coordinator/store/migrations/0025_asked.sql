-- +goose Up

-- What somebody has asked for of the next read while another was open: 0 nothing, 1 what changed, 2 everything.
ALTER TABLE system ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE system DROP COLUMN asked;
