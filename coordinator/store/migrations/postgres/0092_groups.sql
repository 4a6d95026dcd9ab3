-- +goose Up

-- Groups of the directory stand beside people: what makes, finds and ends an account is the same for both.
ALTER TABLE person ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT '';  -- '' for a person, group
CREATE INDEX person_kind ON person (tenant, key) WHERE kind <> '';

-- Who is in which of the directory's groups: by a rule of a target (via is its system), or because sources say so (via is '').
CREATE TABLE member (
  tenant  TEXT COLLATE "C" NOT NULL,
  grp     TEXT COLLATE "C" NOT NULL,        -- folded key of the group, which may not be there yet
  member  TEXT COLLATE "C" NOT NULL,        -- person.id of who is in it, a person or a group
  via     TEXT COLLATE "C" NOT NULL,
  display TEXT COLLATE "C" NOT NULL DEFAULT '',   -- how the rule has the group shown, where it says so
  PRIMARY KEY (tenant, grp, member, via)
);
CREATE INDEX member_in ON member (tenant, member);

-- Objects that are nobody's, in groups of which a target may want only its own members.
CREATE TABLE stranger (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  grp    TEXT COLLATE "C" NOT NULL,         -- native id of the group, folded
  id     TEXT COLLATE "C" NOT NULL,         -- native id of the object
  PRIMARY KEY (tenant, system, grp, id)
);
CREATE INDEX stranger_id ON stranger (tenant, system, id);

-- +goose Down
DROP TABLE stranger; DROP TABLE member; DROP INDEX person_kind; ALTER TABLE person DROP COLUMN kind;
