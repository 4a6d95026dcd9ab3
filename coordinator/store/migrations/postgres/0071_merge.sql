-- +goose Up

-- What an admin did about who is whom: two people made one, or one made two. body holds what changed hands, for undo.
CREATE TABLE merge (
  tenant    TEXT COLLATE "C" NOT NULL,
  id        BIGINT NOT NULL,
  kind      TEXT COLLATE "C" NOT NULL,        -- merge, split
  at        BIGINT NOT NULL,
  who       TEXT COLLATE "C" NOT NULL,
  person    TEXT COLLATE "C" NOT NULL,        -- who stays
  other     TEXT COLLATE "C" NOT NULL,        -- who was merged into them, or made of them
  body      BYTEA NOT NULL,
  undone    BIGINT NOT NULL DEFAULT 0,
  undone_by TEXT COLLATE "C" NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, id)
);

-- Ids of people that were merged into somebody: the log names them, and is theirs.
CREATE TABLE person_former (
  tenant TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  former TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, person, former)
);

-- +goose Down
DROP TABLE person_former; DROP TABLE merge;
