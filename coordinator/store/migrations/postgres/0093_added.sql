-- +goose Up

-- Values of additive rules that we wrote: only these are ever taken away for a rule's sake.
CREATE TABLE added (
  tenant    TEXT COLLATE "C" NOT NULL,
  system    TEXT COLLATE "C" NOT NULL,
  account   TEXT COLLATE "C" NOT NULL,      -- native id
  attribute TEXT COLLATE "C" NOT NULL,      -- folded
  value     TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, system, account, attribute, value)
);

-- +goose Down
DROP TABLE added;
