-- +goose Up

-- Where a system is source and target of one class: 1 the object is the account of somebody whose home is elsewhere,
-- and no record; 2 it stands where one of ours is just being made, and whose it is will show; 0 it is a record.
ALTER TABLE account ADD COLUMN mirror BIGINT NOT NULL DEFAULT 0;
CREATE INDEX account_mirror ON account (tenant, system, match) WHERE mirror <> 0;

-- +goose Down
DROP INDEX account_mirror;
ALTER TABLE account DROP COLUMN mirror;
