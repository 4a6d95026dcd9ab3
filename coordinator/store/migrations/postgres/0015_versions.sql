-- +goose Up

-- Every document that was ever in force for a system: configuration is compared with what it was, and gone back to. A
-- system that was removed keeps its versions.
CREATE TABLE system_version (
  tenant   TEXT COLLATE "C" NOT NULL,
  system   TEXT COLLATE "C" NOT NULL,
  revision BIGINT NOT NULL,
  document TEXT COLLATE "C" NOT NULL,
  applied  BIGINT NOT NULL,
  who      TEXT COLLATE "C" NOT NULL DEFAULT '',
  note     TEXT COLLATE "C" NOT NULL DEFAULT '',   -- why, as who applied it said
  PRIMARY KEY (tenant, system, revision)
);

INSERT INTO system_version (tenant, system, revision, document, applied) SELECT tenant, name, revision, document, applied FROM system;

-- +goose Down
DROP TABLE system_version;
