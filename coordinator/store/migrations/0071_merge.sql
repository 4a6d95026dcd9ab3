-- +goose Up

-- What an admin did about who is whom: two people made one, or one made two. body holds what changed hands, for undo.
CREATE TABLE merge (
  tenant    TEXT NOT NULL,
  id        INTEGER NOT NULL,
  kind      TEXT NOT NULL,        -- merge, split
  at        INTEGER NOT NULL,
  who       TEXT NOT NULL,
  person    TEXT NOT NULL,        -- who stays
  other     TEXT NOT NULL,        -- who was merged into them, or made of them
  body      BLOB NOT NULL,
  undone    INTEGER NOT NULL DEFAULT 0,
  undone_by TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, id)
);

-- Ids of people that were merged into somebody: the log names them, and is theirs.
CREATE TABLE person_former (
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  former TEXT NOT NULL,
  PRIMARY KEY (tenant, person, former)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE person_former; DROP TABLE merge;
