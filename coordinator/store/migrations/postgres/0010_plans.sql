-- +goose Up

-- A plan that a person looks at before any of it is done: a list of held jobs. It grows while people are being planned
-- for its cause, and is sealed once nobody is due: from then on its hash says what it is.
CREATE TABLE plan (
  tenant  TEXT COLLATE "C" NOT NULL,
  id      BIGINT NOT NULL,
  cause   TEXT COLLATE "C" NOT NULL,        -- why it is a preview: "system corp-ad", "cycle 17", "person E1001", "undo of job 12"
  state   TEXT COLLATE "C" NOT NULL,        -- open, sealed, approved, rejected, lapsed
  hash    TEXT COLLATE "C" NOT NULL DEFAULT '',   -- SHA-256 over what it does, hex; '' while it is open
  made    BIGINT NOT NULL,
  sealed  BIGINT NOT NULL DEFAULT 0,
  decided BIGINT NOT NULL DEFAULT 0,
  who     TEXT COLLATE "C" NOT NULL DEFAULT '',
  note    TEXT COLLATE "C" NOT NULL DEFAULT '',   -- what is not in it, and why
  PRIMARY KEY (tenant, id)
);
CREATE INDEX plan_undecided ON plan (tenant, state, cause) WHERE state IN ('open','sealed');

CREATE TABLE plan_item (
  tenant TEXT COLLATE "C" NOT NULL,
  plan   BIGINT NOT NULL,
  job    BIGINT NOT NULL,
  hash   BYTEA NOT NULL,        -- SHA-256 of what the job does, for whom
  PRIMARY KEY (tenant, plan, job)
);
CREATE INDEX plan_item_job ON plan_item (tenant, job);

-- People of whom nothing is done before somebody has seen it: until that is decided, or the preview lapses.
CREATE TABLE preview (
  tenant TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  cause  TEXT COLLATE "C" NOT NULL,         -- as in plan
  lapses BIGINT NOT NULL DEFAULT 0,  -- 0: not by itself
  PRIMARY KEY (tenant, person)
);

-- Cycles whose people are planned as a preview.
CREATE TABLE preview_cycle (
  tenant TEXT COLLATE "C" NOT NULL,
  cycle  BIGINT NOT NULL,
  PRIMARY KEY (tenant, cycle)
);

-- Whether a system is written to at once (apply) or on approval (preview), where somebody said otherwise than its document.
CREATE TABLE system_mode (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  mode   TEXT COLLATE "C" NOT NULL,         -- apply, preview
  at     BIGINT NOT NULL,
  who    TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, system)
);

-- Where an account is other than its rules want, and that is known: somebody changed it there (drift), or a change was undone.
-- While the rules want what is refused, the attribute is left as it is; wanting something else ends the deviation.
CREATE TABLE deviation (
  tenant    TEXT COLLATE "C" NOT NULL,
  person    TEXT COLLATE "C" NOT NULL,
  system    TEXT COLLATE "C" NOT NULL,
  attribute TEXT COLLATE "C" NOT NULL,      -- as the rule spells it; address, enabled, account; "group " and the native id of one
  account   TEXT COLLATE "C" NOT NULL,      -- native id
  kind      TEXT COLLATE "C" NOT NULL,      -- found, left, adopted, undone
  refused   TEXT COLLATE "C" NOT NULL,      -- what is not written, JSON list
  found     TEXT COLLATE "C" NOT NULL,      -- what it is instead, JSON list
  at        BIGINT NOT NULL,
  who       TEXT COLLATE "C" NOT NULL DEFAULT '',
  job       BIGINT NOT NULL DEFAULT 0,   -- that undid it
  PRIMARY KEY (tenant, person, system, attribute)
);

-- Names of accounts that are no more, or are called otherwise now, kept from being given to somebody else.
CREATE TABLE name_kept (
  tenant    TEXT COLLATE "C" NOT NULL,
  system    TEXT COLLATE "C" NOT NULL,
  attribute TEXT COLLATE "C" NOT NULL,
  value     TEXT COLLATE "C" NOT NULL,      -- folded
  holder    TEXT COLLATE "C" NOT NULL,      -- person, or native id of an account that was nobody's
  until     BIGINT NOT NULL,
  PRIMARY KEY (tenant, system, attribute, value)
);
CREATE INDEX name_kept_until ON name_kept (until);

-- What thresholds count.
DROP INDEX job_taking;
CREATE INDEX job_taking ON job (made) WHERE class IN ('create','enable','disable','delete','move','membership','clear');

-- +goose Down
DROP INDEX job_taking;
CREATE INDEX job_taking ON job (made) WHERE class IN ('disable','delete','move','membership');
DROP TABLE name_kept; DROP TABLE deviation; DROP TABLE system_mode; DROP TABLE preview_cycle; DROP TABLE preview; DROP TABLE plan_item; DROP TABLE plan;
