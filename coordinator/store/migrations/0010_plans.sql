-- +goose Up

-- A plan that a person looks at before any of it is done: a list of held jobs. It grows while people are being planned
-- for its cause, and is sealed once nobody is due: from then on its hash says what it is.
CREATE TABLE plan (
  tenant  TEXT NOT NULL,
  id      INTEGER NOT NULL,
  cause   TEXT NOT NULL,        -- why it is a preview: "system corp-ad", "cycle 17", "person E1001", "undo of job 12"
  state   TEXT NOT NULL,        -- open, sealed, approved, rejected, lapsed
  hash    TEXT NOT NULL DEFAULT '',   -- SHA-256 over what it does, hex; '' while it is open
  made    INTEGER NOT NULL,
  sealed  INTEGER NOT NULL DEFAULT 0,
  decided INTEGER NOT NULL DEFAULT 0,
  who     TEXT NOT NULL DEFAULT '',
  note    TEXT NOT NULL DEFAULT '',   -- what is not in it, and why
  PRIMARY KEY (tenant, id)
);
CREATE INDEX plan_undecided ON plan (tenant, state, cause) WHERE state IN ('open','sealed');

CREATE TABLE plan_item (
  tenant TEXT NOT NULL,
  plan   INTEGER NOT NULL,
  job    INTEGER NOT NULL,
  hash   BLOB NOT NULL,        -- SHA-256 of what the job does, for whom
  PRIMARY KEY (tenant, plan, job)
) WITHOUT ROWID;
CREATE INDEX plan_item_job ON plan_item (tenant, job);

-- People of whom nothing is done before somebody has seen it: until that is decided, or the preview lapses.
CREATE TABLE preview (
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  cause  TEXT NOT NULL,         -- as in plan
  lapses INTEGER NOT NULL DEFAULT 0,  -- 0: not by itself
  PRIMARY KEY (tenant, person)
) WITHOUT ROWID;

-- Cycles whose people are planned as a preview.
CREATE TABLE preview_cycle (
  tenant TEXT NOT NULL,
  cycle  INTEGER NOT NULL,
  PRIMARY KEY (tenant, cycle)
) WITHOUT ROWID;

-- Whether a system is written to at once (apply) or on approval (preview), where somebody said otherwise than its document.
CREATE TABLE system_mode (
  tenant TEXT NOT NULL,
  system TEXT NOT NULL,
  mode   TEXT NOT NULL,         -- apply, preview
  at     INTEGER NOT NULL,
  who    TEXT NOT NULL,
  PRIMARY KEY (tenant, system)
) WITHOUT ROWID;

-- Where an account is other than its rules want, and that is known: somebody changed it there (drift), or a change was undone.
-- While the rules want what is refused, the attribute is left as it is; wanting something else ends the deviation.
CREATE TABLE deviation (
  tenant    TEXT NOT NULL,
  person    TEXT NOT NULL,
  system    TEXT NOT NULL,
  attribute TEXT NOT NULL,      -- as the rule spells it; address, enabled, account; "group " and the native id of one
  account   TEXT NOT NULL,      -- native id
  kind      TEXT NOT NULL,      -- found, left, adopted, undone
  refused   TEXT NOT NULL,      -- what is not written, JSON list
  found     TEXT NOT NULL,      -- what it is instead, JSON list
  at        INTEGER NOT NULL,
  who       TEXT NOT NULL DEFAULT '',
  job       INTEGER NOT NULL DEFAULT 0,   -- that undid it
  PRIMARY KEY (tenant, person, system, attribute)
);

-- Names of accounts that are no more, or are called otherwise now, kept from being given to somebody else.
CREATE TABLE name_kept (
  tenant    TEXT NOT NULL,
  system    TEXT NOT NULL,
  attribute TEXT NOT NULL,
  value     TEXT NOT NULL,      -- folded
  holder    TEXT NOT NULL,      -- person, or native id of an account that was nobody's
  until     INTEGER NOT NULL,
  PRIMARY KEY (tenant, system, attribute, value)
) WITHOUT ROWID;
CREATE INDEX name_kept_until ON name_kept (until);

-- +goose Down
DROP TABLE name_kept; DROP TABLE deviation; DROP TABLE system_mode; DROP TABLE preview_cycle; DROP TABLE preview; DROP TABLE plan_item; DROP TABLE plan;
