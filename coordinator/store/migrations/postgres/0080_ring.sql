-- +goose Up

-- In which ring of updates an agent is, as an administrator says; '': in none.
ALTER TABLE agent ADD COLUMN ring TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE agent DROP COLUMN ring;
