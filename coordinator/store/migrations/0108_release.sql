-- +goose Up

-- Releases of the agent's side, which agents are given; what one consists of its signed file says.
CREATE TABLE agent_release (
  tenant  TEXT NOT NULL,
  version TEXT NOT NULL,             -- SemVer
  file    BLOB NOT NULL,             -- proto/release
  added   INTEGER NOT NULL,
  who     TEXT NOT NULL,
  PRIMARY KEY (tenant, version)
) WITHOUT ROWID;

-- Executables in parts of the same size, the last one less; those of several releases may be the same.
CREATE TABLE release_part (
  tenant TEXT NOT NULL,
  sha256 TEXT NOT NULL,              -- of the executable, hexadecimal
  part   INTEGER NOT NULL,           -- from 0
  data   BLOB NOT NULL,
  PRIMARY KEY (tenant, sha256, part)
);

-- Which release the agents of a ring are to have.
CREATE TABLE ring (
  tenant  TEXT NOT NULL,
  name    TEXT NOT NULL,
  version TEXT NOT NULL,
  changed INTEGER NOT NULL,          -- agents that took a release back since hold the ring up
  who     TEXT NOT NULL,
  PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

-- Leave to switch, given to one agent of a site at a time.
CREATE TABLE update_leave (
  tenant  TEXT NOT NULL,
  site    TEXT NOT NULL,
  agent   TEXT NOT NULL,
  version TEXT NOT NULL,
  since   INTEGER NOT NULL,
  PRIMARY KEY (tenant, site)
) WITHOUT ROWID;

ALTER TABLE agent ADD COLUMN update_state TEXT NOT NULL DEFAULT '';    -- as the agent last told, link.v1.Update; '': it does not update itself
ALTER TABLE agent ADD COLUMN update_version TEXT NOT NULL DEFAULT '';  -- that the state is about
ALTER TABLE agent ADD COLUMN update_cause TEXT NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN update_previous TEXT NOT NULL DEFAULT ''; -- that would be gone back to
ALTER TABLE agent ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;          -- since when state and version are those

-- +goose Down
DROP TABLE agent_release;
DROP TABLE release_part;
DROP TABLE ring;
DROP TABLE update_leave;
ALTER TABLE agent DROP COLUMN update_state;
ALTER TABLE agent DROP COLUMN update_version;
ALTER TABLE agent DROP COLUMN update_cause;
ALTER TABLE agent DROP COLUMN update_previous;
ALTER TABLE agent DROP COLUMN updated;
