-- +goose Up

-- Releases of the agent's side, which agents are given; what one consists of its signed file says.
CREATE TABLE agent_release (
  tenant  TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,             -- SemVer
  file    BYTEA NOT NULL,             -- proto/release
  added   BIGINT NOT NULL,
  who     TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, version)
);

-- Executables in parts of the same size, the last one less; those of several releases may be the same.
CREATE TABLE release_part (
  tenant TEXT COLLATE "C" NOT NULL,
  sha256 TEXT COLLATE "C" NOT NULL,              -- of the executable, hexadecimal
  part   BIGINT NOT NULL,           -- from 0
  data   BYTEA NOT NULL,
  PRIMARY KEY (tenant, sha256, part)
);

-- Which release the agents of a ring are to have.
CREATE TABLE ring (
  tenant  TEXT COLLATE "C" NOT NULL,
  name    TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  changed BIGINT NOT NULL,          -- agents that took a release back since hold the ring up
  who     TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, name)
);

-- Leave to switch, given to one agent of a site at a time.
CREATE TABLE update_leave (
  tenant  TEXT COLLATE "C" NOT NULL,
  site    TEXT COLLATE "C" NOT NULL,
  agent   TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  since   BIGINT NOT NULL,
  PRIMARY KEY (tenant, site)
);

ALTER TABLE agent ADD COLUMN update_state TEXT COLLATE "C" NOT NULL DEFAULT '';    -- as the agent last told, link.v1.Update; '': it does not update itself
ALTER TABLE agent ADD COLUMN update_version TEXT COLLATE "C" NOT NULL DEFAULT '';  -- that the state is about
ALTER TABLE agent ADD COLUMN update_cause TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE agent ADD COLUMN update_previous TEXT COLLATE "C" NOT NULL DEFAULT ''; -- that would be gone back to
ALTER TABLE agent ADD COLUMN updated BIGINT NOT NULL DEFAULT 0;          -- since when state and version are those

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
