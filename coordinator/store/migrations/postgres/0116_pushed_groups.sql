-- +goose Up

-- Groups among the records pushed to a source. Who is in them is beside them, so that one member more is one row.
CREATE TABLE pushed_group (
  tenant   TEXT COLLATE "C" NOT NULL,
  system   TEXT COLLATE "C" NOT NULL,
  id       TEXT COLLATE "C" NOT NULL,           -- native id of the account
  name     TEXT COLLATE "C" NOT NULL,           -- displayName, folded
  changed  BIGINT NOT NULL,        -- when the group or its members last did
  revision BIGINT NOT NULL,        -- one more with every change
  PRIMARY KEY (tenant, system, id)
);
CREATE INDEX pushed_group_name ON pushed_group (tenant, system, name);

CREATE TABLE pushed_member (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  grp    TEXT COLLATE "C" NOT NULL,             -- native id of the group
  member TEXT COLLATE "C" NOT NULL,             -- native id of a record: a person's or a group's
  PRIMARY KEY (tenant, system, grp, member)
);
CREATE INDEX pushed_member_in ON pushed_member (tenant, system, member);

-- A walk over the directory's groups.
CREATE INDEX person_group ON person (tenant, id) WHERE kind <> '';

-- +goose Down
DROP INDEX person_group;
DROP TABLE pushed_member; DROP TABLE pushed_group;
