-- +goose Up

-- Only PostgreSQL has room to leave.
SELECT 1;

-- +goose Down
SELECT 1;
