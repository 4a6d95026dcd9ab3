-- +goose Up

-- Of sites with several agents: whether the agent was told that it may begin jobs for so long after a beat only, and from
-- when on its jobs may be another's; 0 while it is here.
ALTER TABLE agent ADD COLUMN leased BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN takeover BIGINT NOT NULL DEFAULT 0;
CREATE INDEX agent_site ON agent (tenant, site);

-- The agent whose read of the system was the last: another knows not what it has sent.
ALTER TABLE system ADD COLUMN reader TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE system DROP COLUMN reader;
DROP INDEX agent_site;
ALTER TABLE agent DROP COLUMN takeover;
ALTER TABLE agent DROP COLUMN leased;
