-- +goose Up

-- What a read of a source said of records that were known before, until the read has ended and the gate has let it pass.
CREATE TABLE staged (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  id     TEXT COLLATE "C" NOT NULL,         -- native id
  cycle  BIGINT NOT NULL,      -- that sent it
  object BYTEA NOT NULL,         -- connectorv1.Object, protobuf
  trace  TEXT COLLATE "C" NOT NULL DEFAULT '',
  held   TEXT COLLATE "C" NOT NULL DEFAULT '',    -- why it waits for a person; '' while it does not
  free   BIGINT NOT NULL DEFAULT 0,  -- 1: it may pass, and has not yet
  PRIMARY KEY (tenant, system, id)
);
CREATE INDEX staged_free ON staged (tenant, system, cycle) WHERE free = 1;

-- How many records of a source have a value, by column. '' says that it was counted once: from then on it is kept.
CREATE TABLE filled (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  name   TEXT COLLATE "C" NOT NULL,         -- of the column, folded
  n      BIGINT NOT NULL,
  PRIMARY KEY (tenant, system, name)
);

-- +goose Down
DROP TABLE filled; DROP TABLE staged;
