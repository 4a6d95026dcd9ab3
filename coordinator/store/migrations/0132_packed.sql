-- +goose Up

-- From here on job_work.reasons of a SQLite file may be compressed bytes: a release that does not know of them must not open it.
SELECT 1;

-- +goose Down
SELECT 1;
