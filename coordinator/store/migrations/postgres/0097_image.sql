-- +goose Up

-- What people and their accounts were when a cycle had them planned, before anything of it was done: for looking back.
CREATE TABLE image (
  tenant     TEXT COLLATE "C" NOT NULL,
  cycle      BIGINT NOT NULL,
  person     TEXT COLLATE "C" NOT NULL,
  at         BIGINT NOT NULL,
  sourced    BIGINT NOT NULL,     -- 1: a source had a record of them
  attributes TEXT NOT NULL,     -- as in person
  accounts   TEXT NOT NULL,     -- in targets, with the groups that we had put them in; JSON
  PRIMARY KEY (tenant, cycle, person)
);

-- +goose Down
DROP TABLE image;
