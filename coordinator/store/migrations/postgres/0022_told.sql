-- +goose Up
ALTER TABLE told ADD COLUMN text TEXT COLLATE "C" NOT NULL DEFAULT '';  -- what was told

-- +goose Down
ALTER TABLE told DROP COLUMN text;
