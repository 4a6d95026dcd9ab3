-- +goose Up

-- As in SQLite, where reasons may be compressed from here on. PostgreSQL does that by itself.
SELECT 1;

-- +goose Down
SELECT 1;
