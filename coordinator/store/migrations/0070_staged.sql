-- +goose Up

-- What a read of a source said of records that were known before, until the read has ended and the gate has let it pass.
CREATE TABLE staged (
  tenant TEXT NOT NULL,
  system TEXT NOT NULL,
  id     TEXT NOT NULL,         -- native id
  cycle  INTEGER NOT NULL,      -- that sent it
  object BLOB NOT NULL,         -- connectorv1.Object, protobuf
  trace  TEXT NOT NULL DEFAULT '',
  held   TEXT NOT NULL DEFAULT '',    -- why it waits for a person; '' while it does not
  free   INTEGER NOT NULL DEFAULT 0,  -- 1: it may pass, and has not yet
  PRIMARY KEY (tenant, system, id)
) WITHOUT ROWID;
CREATE INDEX staged_free ON staged (tenant, system, cycle) WHERE free = 1;

-- How many records of a source have a value, by column. '' says that it was counted once: from then on it is kept.
CREATE TABLE filled (
  tenant TEXT NOT NULL,
  system TEXT NOT NULL,
  name   TEXT NOT NULL,         -- of the column, folded
  n      INTEGER NOT NULL,
  PRIMARY KEY (tenant, system, name)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE filled; DROP TABLE staged;
