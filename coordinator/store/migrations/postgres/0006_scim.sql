-- +goose Up

-- API tokens that are good for SCIM alone.
CREATE TABLE token_scim (
  tenant TEXT COLLATE "C" NOT NULL,
  token  TEXT COLLATE "C" NOT NULL,
  source TEXT COLLATE "C" NOT NULL,     -- system whose records it pushes; '': it reads the directory
  PRIMARY KEY (tenant, token)
);

-- Values that are unique among the records pushed to a source, and whose they are.
CREATE TABLE pushed (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  path   TEXT COLLATE "C" NOT NULL,     -- userName, externalId
  value  TEXT COLLATE "C" NOT NULL,     -- folded where the attribute is compared so
  id     TEXT COLLATE "C" NOT NULL,     -- native id of the account
  PRIMARY KEY (tenant, system, path, value)
);

-- +goose Down
DROP TABLE pushed; DROP TABLE token_scim;
