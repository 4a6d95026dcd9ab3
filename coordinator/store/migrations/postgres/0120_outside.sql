-- +goose Up

-- Who is out of a target's scope, where their accounts are deleted for that in time.
CREATE TABLE outside (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  since  BIGINT NOT NULL,      -- when that was first seen
  PRIMARY KEY (tenant, system, person)
);

-- +goose Down
DROP TABLE outside;
