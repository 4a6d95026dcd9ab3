-- +goose Up

-- What was sent at the last try of a delivery, and what came back: start line and headers, an empty line, the body.
ALTER TABLE notice ADD COLUMN request TEXT COLLATE "C" NOT NULL DEFAULT '';   -- without the body, which is the notice's
ALTER TABLE notice ADD COLUMN answer TEXT COLLATE "C" NOT NULL DEFAULT '';    -- its first 4 KiB

-- +goose Down
ALTER TABLE notice DROP COLUMN answer;
ALTER TABLE notice DROP COLUMN request;
