-- +goose Up

-- Instants are milliseconds since 1970 in UTC; 0 means none. Bodies are protobuf where the column says so, else JSON.
-- Every key begins with the tenant. Small rows that are looked up by their key alone are kept in it (WITHOUT ROWID); rows
-- that may be a kilobyte would spill to overflow pages there. An index costs a page written twice for each row whose key is
-- random: there is one only for what is asked all the time.

CREATE TABLE tenant (
  id   TEXT NOT NULL PRIMARY KEY,
  made INTEGER NOT NULL
);

CREATE TABLE join_token (
  tenant  TEXT NOT NULL,
  id      TEXT NOT NULL,     -- hex
  secret  BLOB NOT NULL,     -- SHA-256 of it
  site    TEXT NOT NULL,
  made    INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  used    INTEGER NOT NULL DEFAULT 0,
  used_by TEXT NOT NULL DEFAULT '',   -- host
  PRIMARY KEY (tenant, id)
);

CREATE TABLE agent (
  tenant       TEXT NOT NULL,
  id           TEXT NOT NULL,
  site         TEXT NOT NULL,
  host         TEXT NOT NULL,
  version      TEXT NOT NULL,
  platform     TEXT NOT NULL DEFAULT '',
  enrolled     INTEGER NOT NULL,
  cert_serial  TEXT NOT NULL,
  cert_expires INTEGER NOT NULL,
  spool        TEXT NOT NULL DEFAULT '',
  batch        INTEGER NOT NULL DEFAULT 0,  -- last batch of records of that spool that is in the store
  connected    INTEGER NOT NULL DEFAULT 0,  -- since when; 0 while away
  seen         INTEGER NOT NULL DEFAULT 0,
  revoked      INTEGER NOT NULL DEFAULT 0,
  connectors   TEXT NOT NULL DEFAULT '[]',  -- DescribeResponse of each, JSON
  PRIMARY KEY (tenant, id)
);

CREATE TABLE system (
  tenant    TEXT NOT NULL,
  name      TEXT NOT NULL,
  site      TEXT NOT NULL,
  connector TEXT NOT NULL,
  revision  INTEGER NOT NULL,   -- rises with every change
  document  TEXT NOT NULL,      -- the YAML as applied
  applied   INTEGER NOT NULL,
  schema    BLOB,               -- SchemaResponse, protobuf, as last read
  schema_at INTEGER NOT NULL DEFAULT 0,
  health    TEXT NOT NULL DEFAULT '{}',  -- SystemHealth as last told, JSON
  next_read INTEGER NOT NULL DEFAULT 0,  -- when the schedule reads it again
  evaluated INTEGER NOT NULL DEFAULT 0,  -- revision by which its stored accounts were evaluated
  read_as   INTEGER NOT NULL DEFAULT 0,  -- revision that was in force when the last believed read began: a target is planned only when it is the present one
  PRIMARY KEY (tenant, name)
);

-- A cycle is one read of a system and what came of it.
CREATE TABLE cycle (
  tenant   TEXT NOT NULL,
  id       INTEGER NOT NULL,    -- id of its read job
  system   TEXT NOT NULL,
  cause    TEXT NOT NULL,       -- schedule, changed, on demand
  began    INTEGER NOT NULL,
  ended    INTEGER NOT NULL DEFAULT 0,
  state    TEXT NOT NULL,       -- reading, applied, held, failed, rejected
  seen     INTEGER NOT NULL DEFAULT 0,
  changed  INTEGER NOT NULL DEFAULT 0,
  deleted  INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0,
  reason   TEXT NOT NULL DEFAULT '',   -- why held or failed, for people
  PRIMARY KEY (tenant, id)
);

-- What a source could not give as an object, of the last cycle that said so.
CREATE TABLE reject (
  tenant TEXT NOT NULL,
  system TEXT NOT NULL,
  place  TEXT NOT NULL,
  cycle  INTEGER NOT NULL,
  reason TEXT NOT NULL,
  object TEXT NOT NULL DEFAULT '',
  stays  INTEGER NOT NULL DEFAULT 0,  -- 1: the mapping could not take the object; until that changes
  PRIMARY KEY (tenant, system, place)
);

-- A person of the directory. attributes are SCIM 2.0 paths (RFC 7643) to values, JSON.
CREATE TABLE person (
  tenant     TEXT NOT NULL,
  id         TEXT NOT NULL,
  key        TEXT NOT NULL,     -- value of the correlation attribute, folded; unique
  display    TEXT NOT NULL,
  attributes TEXT NOT NULL,
  made       INTEGER NOT NULL,
  changed    INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX person_key ON person (tenant, key);

-- An account is an object as it exists in a system, with its last known values.
CREATE TABLE account (
  tenant  TEXT NOT NULL,
  system  TEXT NOT NULL,
  id      TEXT NOT NULL,        -- native id
  class   TEXT NOT NULL,
  address TEXT NOT NULL DEFAULT '',
  match   TEXT NOT NULL DEFAULT '',   -- value of the mapping's match attribute, folded; '' when none
  person  TEXT NOT NULL DEFAULT '',   -- '' while nobody's
  object  BLOB NOT NULL,        -- connectorv1.Object, protobuf
  changed INTEGER NOT NULL,
  gone    INTEGER NOT NULL DEFAULT 0, -- since when it is deleted in the system
  missing INTEGER NOT NULL DEFAULT 0, -- cycle that found it gone, not yet believed
  seen    INTEGER NOT NULL DEFAULT 0, -- cycle that last sent it
  PRIMARY KEY (tenant, system, id)
);
CREATE INDEX account_person ON account (tenant, person) WHERE person <> '';
CREATE INDEX account_match ON account (tenant, system, match) WHERE match <> '' AND person = '';  -- who may be joined
CREATE INDEX account_gone ON account (tenant, system) WHERE gone <> 0;
CREATE INDEX account_missing ON account (tenant, system, missing) WHERE missing <> 0;

-- Names spoken for: before they are used, and for as long as the account lives.
CREATE TABLE name (
  tenant    TEXT NOT NULL,
  system    TEXT NOT NULL,
  attribute TEXT NOT NULL,
  value     TEXT NOT NULL,      -- folded
  holder    TEXT NOT NULL,      -- a person; the native id of an account that is nobody's; '' where only the system knows whose it is
  PRIMARY KEY (tenant, system, attribute, value)
) WITHOUT ROWID;

-- People to be looked at again, and when. The reconciler takes what is due.
CREATE TABLE due (
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  at     INTEGER NOT NULL,
  why    TEXT NOT NULL,
  PRIMARY KEY (tenant, person)
) WITHOUT ROWID;
CREATE INDEX due_at ON due (at);

-- Later instants at which a person's wanted state changes by itself.
CREATE TABLE alarm (
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  at     INTEGER NOT NULL,
  why    TEXT NOT NULL,
  PRIMARY KEY (tenant, person, at)
) WITHOUT ROWID;
CREATE INDEX alarm_at ON alarm (at);

-- Who waits for somebody else's account: a manager that is not there yet.
CREATE TABLE waiting (
  tenant TEXT NOT NULL,
  system TEXT NOT NULL,
  key    TEXT NOT NULL,         -- folded correlation key of the person waited for
  person TEXT NOT NULL,         -- who waits
  PRIMARY KEY (tenant, system, key, person)
) WITHOUT ROWID;
CREATE INDEX waiting_person ON waiting (tenant, person);

-- What stops a person's account from being as wanted; shown until it is cured.
CREATE TABLE problem (
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  system TEXT NOT NULL,
  at     INTEGER NOT NULL,
  kind   TEXT NOT NULL,         -- ambiguous, invalid, denied, taken, expression, missing reference
  fault  TEXT NOT NULL,         -- connectorv1.Fault, JSON
  retry  INTEGER NOT NULL DEFAULT 0,
  tries  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, person, system)
);

-- A job is an operation of a plan from the moment it is wanted, or a read.
--
--	held ──approve──► queued ──claim──► sent ──result──► done | failed
--	  └──reject──► dropped     waiting ──predecessor done──► queued
--	                           (predecessor not done, or planned anew) ──► dropped
CREATE TABLE job (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant     TEXT NOT NULL,
  site       TEXT NOT NULL,
  system     TEXT NOT NULL,
  object     TEXT NOT NULL,     -- native id; the person's id for a create; '' for reads
  person     TEXT NOT NULL DEFAULT '',
  cycle      INTEGER NOT NULL DEFAULT 0,
  class      TEXT NOT NULL,     -- create, modify, move, enable, disable, membership, password, delete, read, find, probe, schema
  state      TEXT NOT NULL,
  after      INTEGER NOT NULL DEFAULT 0,  -- job that must be done first
  priority   INTEGER NOT NULL DEFAULT 0,
  not_before INTEGER NOT NULL DEFAULT 0,
  not_after  INTEGER NOT NULL DEFAULT 0,
  agent      TEXT NOT NULL DEFAULT '',    -- to whom it was sent
  made       INTEGER NOT NULL,
  sent       INTEGER NOT NULL DEFAULT 0,
  ended      INTEGER NOT NULL DEFAULT 0,
  outcome    TEXT NOT NULL DEFAULT '',
  fault      TEXT NOT NULL DEFAULT '',    -- connectorv1.Fault, JSON
  settles    INTEGER NOT NULL DEFAULT 0,  -- 1: where it leaves what it wants, its person need not be planned again
  fence      INTEGER NOT NULL DEFAULT 0   -- rises in the order in which the object's jobs may run; 0: the id
);
CREATE INDEX job_open ON job (tenant, state, site, priority DESC, id) WHERE ended = 0;
CREATE INDEX job_read ON job (tenant, system, class) WHERE object = '' AND ended = 0;
CREATE INDEX job_after ON job (after) WHERE after <> 0;
CREATE INDEX job_person ON job (tenant, person, id) WHERE person <> '';

-- What a job is made of: written once, while its row changes with each step.
CREATE TABLE job_work (
  id      INTEGER PRIMARY KEY,
  work    BLOB NOT NULL,        -- linkv1.Job without id, protobuf
  reasons TEXT NOT NULL         -- why: per attribute rule, source and value; JSON
);

-- The provisioning log: written in the transaction of what it tells, never changed.
CREATE TABLE history (
  seq    INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  at     INTEGER NOT NULL,
  kind   TEXT NOT NULL,         -- source-changed, source-gone, planned, held, written, unchanged, failed, matched, config, audit, …
  system TEXT NOT NULL DEFAULT '',
  person TEXT NOT NULL DEFAULT '',
  account TEXT NOT NULL DEFAULT '',
  job    INTEGER NOT NULL DEFAULT 0,
  text   TEXT NOT NULL,         -- one line for people
  body   BLOB                   -- JSON: per attribute before, after, rule, source
);
CREATE INDEX history_person ON history (tenant, person, seq) WHERE person <> '';
CREATE INDEX history_rare ON history (tenant, kind, seq) WHERE kind NOT IN ('source-changed','planned','written');

CREATE TABLE api_token (
  tenant TEXT NOT NULL,
  id     TEXT NOT NULL,
  secret BLOB NOT NULL,         -- SHA-256
  name   TEXT NOT NULL,
  made   INTEGER NOT NULL,
  used   INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, id)
);

-- +goose Down
DROP TABLE api_token; DROP TABLE history; DROP TABLE job_work; DROP TABLE job; DROP TABLE problem; DROP TABLE waiting; DROP TABLE alarm; DROP TABLE due;
DROP TABLE name; DROP TABLE account; DROP TABLE person; DROP TABLE reject; DROP TABLE cycle; DROP TABLE system; DROP TABLE agent;
DROP TABLE join_token; DROP TABLE tenant;
