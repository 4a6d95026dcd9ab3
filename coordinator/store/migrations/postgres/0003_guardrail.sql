-- +goose Up

ALTER TABLE agent ADD COLUMN guardrail TEXT COLLATE "C" NOT NULL DEFAULT '{}';  -- linkv1.Guardrail, JSON, as the agent last told

-- +goose Down
ALTER TABLE agent DROP COLUMN guardrail;
