-- +goose Up

-- What is queued is claimed by system, so that none holds up another.
DROP INDEX job_open;
CREATE INDEX job_open ON job (tenant, state, site, system, priority DESC, id) WHERE ended = 0;

-- +goose Down
DROP INDEX job_open;
CREATE INDEX job_open ON job (tenant, state, site, priority DESC, id) WHERE ended = 0;
