-- +goose Up

-- Every document that was ever in force for a system: configuration is compared with what it was, and gone back to. A
-- system that was removed keeps its versions.
CREATE TABLE system_version (
  tenant   TEXT NOT NULL,
  system   TEXT NOT NULL,
  revision INTEGER NOT NULL,
  document TEXT NOT NULL,
  applied  INTEGER NOT NULL,
  who      TEXT NOT NULL DEFAULT '',
  note     TEXT NOT NULL DEFAULT '',   -- why, as who applied it said
  PRIMARY KEY (tenant, system, revision)
);

INSERT INTO system_version (tenant, system, revision, document, applied) SELECT tenant, name, revision, document, applied FROM system;

-- +goose Down
DROP TABLE system_version;
