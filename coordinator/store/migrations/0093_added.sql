-- +goose Up

-- Values of additive rules that we wrote: only these are ever taken away for a rule's sake.
CREATE TABLE added (
  tenant    TEXT NOT NULL,
  system    TEXT NOT NULL,
  account   TEXT NOT NULL,      -- native id
  attribute TEXT NOT NULL,      -- folded
  value     TEXT NOT NULL,
  PRIMARY KEY (tenant, system, account, attribute, value)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE added;
