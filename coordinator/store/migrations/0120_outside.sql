-- +goose Up

-- Who is out of a target's scope, where their accounts are deleted for that in time.
CREATE TABLE outside (
  tenant TEXT NOT NULL,
  system TEXT NOT NULL,
  person TEXT NOT NULL,
  since  INTEGER NOT NULL,      -- when that was first seen
  PRIMARY KEY (tenant, system, person)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE outside;
