-- +goose Up

-- A token of somebody's command line is theirs, and ends when they are signed out everywhere.
ALTER TABLE api_token ADD COLUMN owner TEXT COLLATE "C" NOT NULL DEFAULT '';  -- their subject; '': a program's

-- +goose Down
ALTER TABLE api_token DROP COLUMN owner;
