-- +goose Up

-- When the coordinator that an agent is connected to has last noted that it is here. It does so all the time where it is
-- not before connected; else an earlier release notes in seen, each minute, that it is.
ALTER TABLE agent ADD COLUMN heard BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE agent DROP COLUMN heard;
