-- +goose Up

ALTER TABLE agent ADD COLUMN counter BIGINT NOT NULL DEFAULT 0;      -- how often it has connected, as its last Hello said
ALTER TABLE agent ADD COLUMN attempt TEXT COLLATE "C" NOT NULL DEFAULT '';        -- random, of that Hello
ALTER TABLE agent ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;   -- certificates of an earlier one are good for nothing
ALTER TABLE agent ADD COLUMN request TEXT COLLATE "C" NOT NULL DEFAULT '';        -- to be attested anew, JSON
ALTER TABLE agent ADD COLUMN shut BIGINT NOT NULL DEFAULT 0;         -- when it was last revoked or attested anew: streams from before are cut
CREATE INDEX agent_shut ON agent (shut) WHERE shut <> 0;

-- +goose Down
DROP INDEX agent_shut;
ALTER TABLE agent DROP COLUMN shut;
ALTER TABLE agent DROP COLUMN request;
ALTER TABLE agent DROP COLUMN generation;
ALTER TABLE agent DROP COLUMN attempt;
ALTER TABLE agent DROP COLUMN counter;
