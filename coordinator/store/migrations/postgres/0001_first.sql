-- +goose Up

-- Instants are milliseconds since 1970 in UTC; 0 means none. Bodies are protobuf where the column says so, else JSON.
-- Every key begins with the tenant, so that a database can be sharded by it. Texts are ordered by their bytes, as in SQLite.
-- Flags are 0 or 1.

CREATE TABLE tenant (
  id   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  made BIGINT NOT NULL
);

CREATE TABLE join_token (
  tenant  TEXT COLLATE "C" NOT NULL,
  id      TEXT COLLATE "C" NOT NULL,     -- hex
  secret  BYTEA NOT NULL,     -- SHA-256 of it
  site    TEXT COLLATE "C" NOT NULL,
  made    BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  used    BIGINT NOT NULL DEFAULT 0,
  used_by TEXT COLLATE "C" NOT NULL DEFAULT '',   -- host
  PRIMARY KEY (tenant, id)
);

CREATE TABLE agent (
  tenant       TEXT COLLATE "C" NOT NULL,
  id           TEXT COLLATE "C" NOT NULL,
  site         TEXT COLLATE "C" NOT NULL,
  host         TEXT COLLATE "C" NOT NULL,
  version      TEXT COLLATE "C" NOT NULL,
  platform     TEXT COLLATE "C" NOT NULL DEFAULT '',
  enrolled     BIGINT NOT NULL,
  cert_serial  TEXT COLLATE "C" NOT NULL,
  cert_expires BIGINT NOT NULL,
  spool        TEXT COLLATE "C" NOT NULL DEFAULT '',
  batch        BIGINT NOT NULL DEFAULT 0,  -- last batch of records of that spool that is in the store
  connected    BIGINT NOT NULL DEFAULT 0,  -- since when; 0 while away
  seen         BIGINT NOT NULL DEFAULT 0,
  revoked      BIGINT NOT NULL DEFAULT 0,
  connectors   TEXT COLLATE "C" NOT NULL DEFAULT '[]',  -- DescribeResponse of each, JSON
  PRIMARY KEY (tenant, id)
);

CREATE TABLE system (
  tenant    TEXT COLLATE "C" NOT NULL,
  name      TEXT COLLATE "C" NOT NULL,
  site      TEXT COLLATE "C" NOT NULL,
  connector TEXT COLLATE "C" NOT NULL,
  revision  BIGINT NOT NULL,   -- rises with every change
  document  TEXT COLLATE "C" NOT NULL,      -- the YAML as applied
  applied   BIGINT NOT NULL,
  schema    BYTEA,               -- SchemaResponse, protobuf, as last read
  schema_at BIGINT NOT NULL DEFAULT 0,
  health    TEXT COLLATE "C" NOT NULL DEFAULT '{}',  -- SystemHealth as last told, JSON
  next_read BIGINT NOT NULL DEFAULT 0,  -- when the schedule reads it again
  evaluated BIGINT NOT NULL DEFAULT 0,  -- revision by which its stored accounts were evaluated
  read_as   BIGINT NOT NULL DEFAULT 0,  -- revision that was in force when the last believed read began: a target is planned only when it is the present one
  PRIMARY KEY (tenant, name)
);

-- A cycle is one read of a system and what came of it.
CREATE TABLE cycle (
  tenant   TEXT COLLATE "C" NOT NULL,
  id       BIGINT NOT NULL,    -- id of its read job
  system   TEXT COLLATE "C" NOT NULL,
  cause    TEXT COLLATE "C" NOT NULL,       -- schedule, changed, on demand
  began    BIGINT NOT NULL,
  ended    BIGINT NOT NULL DEFAULT 0,
  state    TEXT COLLATE "C" NOT NULL,       -- reading, applied, held, failed, rejected
  seen     BIGINT NOT NULL DEFAULT 0,
  changed  BIGINT NOT NULL DEFAULT 0,
  deleted  BIGINT NOT NULL DEFAULT 0,
  rejected BIGINT NOT NULL DEFAULT 0,
  reason   TEXT COLLATE "C" NOT NULL DEFAULT '',   -- why held or failed, for people
  PRIMARY KEY (tenant, id)
);

-- What a source could not give as an object, of the last cycle that said so.
CREATE TABLE reject (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  place  TEXT COLLATE "C" NOT NULL,
  cycle  BIGINT NOT NULL,
  reason TEXT COLLATE "C" NOT NULL,
  object TEXT COLLATE "C" NOT NULL DEFAULT '',
  stays  BIGINT NOT NULL DEFAULT 0,  -- 1: the mapping could not take the object; until that changes
  PRIMARY KEY (tenant, system, place)
);

-- A person of the directory. attributes are SCIM 2.0 paths (RFC 7643) to values, JSON.
CREATE TABLE person (
  tenant     TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,     -- value of the correlation attribute, folded; unique
  display    TEXT COLLATE "C" NOT NULL,
  attributes TEXT COLLATE "C" NOT NULL,
  made       BIGINT NOT NULL,
  changed    BIGINT NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX person_key ON person (tenant, key);

-- An account is an object as it exists in a system, with its last known values.
CREATE TABLE account (
  tenant  TEXT COLLATE "C" NOT NULL,
  system  TEXT COLLATE "C" NOT NULL,
  id      TEXT COLLATE "C" NOT NULL,        -- native id
  class   TEXT COLLATE "C" NOT NULL,
  address TEXT COLLATE "C" NOT NULL DEFAULT '',
  match   TEXT COLLATE "C" NOT NULL DEFAULT '',   -- value of the mapping's match attribute, folded; '' when none
  person  TEXT COLLATE "C" NOT NULL DEFAULT '',   -- '' while nobody's
  object  BYTEA NOT NULL,        -- connectorv1.Object, protobuf
  changed BIGINT NOT NULL,
  gone    BIGINT NOT NULL DEFAULT 0, -- since when it is deleted in the system
  missing BIGINT NOT NULL DEFAULT 0, -- cycle that found it gone, not yet believed
  seen    BIGINT NOT NULL DEFAULT 0, -- cycle that last sent it
  PRIMARY KEY (tenant, system, id)
);
CREATE INDEX account_person ON account (tenant, person) WHERE person <> '';
CREATE INDEX account_match ON account (tenant, system, match) WHERE match <> '' AND person = '';  -- who may be joined
CREATE INDEX account_gone ON account (tenant, system) WHERE gone <> 0;
CREATE INDEX account_missing ON account (tenant, system, missing) WHERE missing <> 0;

-- Names spoken for: before they are used, and for as long as the account lives.
CREATE TABLE name (
  tenant    TEXT COLLATE "C" NOT NULL,
  system    TEXT COLLATE "C" NOT NULL,
  attribute TEXT COLLATE "C" NOT NULL,
  value     TEXT COLLATE "C" NOT NULL,      -- folded
  holder    TEXT COLLATE "C" NOT NULL,      -- a person; the native id of an account that is nobody's; '' where only the system knows whose it is
  PRIMARY KEY (tenant, system, attribute, value)
);

-- People to be looked at again, and when. The reconciler takes what is due.
CREATE TABLE due (
  tenant TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  at     BIGINT NOT NULL,
  why    TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, person)
);
CREATE INDEX due_at ON due (at);

-- Later instants at which a person's wanted state changes by itself.
CREATE TABLE alarm (
  tenant TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  at     BIGINT NOT NULL,
  why    TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, person, at)
);
CREATE INDEX alarm_at ON alarm (at);

-- Who waits for somebody else's account: a manager that is not there yet.
CREATE TABLE waiting (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  key    TEXT COLLATE "C" NOT NULL,         -- folded correlation key of the person waited for
  person TEXT COLLATE "C" NOT NULL,         -- who waits
  PRIMARY KEY (tenant, system, key, person)
);
CREATE INDEX waiting_person ON waiting (tenant, person);

-- What stops a person's account from being as wanted; shown until it is cured.
CREATE TABLE problem (
  tenant TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  at     BIGINT NOT NULL,
  kind   TEXT COLLATE "C" NOT NULL,         -- ambiguous, invalid, denied, taken, expression, missing reference
  fault  TEXT COLLATE "C" NOT NULL,         -- connectorv1.Fault, JSON
  retry  BIGINT NOT NULL DEFAULT 0,
  tries  BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, person, system)
);

-- A job is an operation of a plan from the moment it is wanted, or a read.
--
--	held ──approve──► queued ──claim──► sent ──result──► done | failed
--	  └──reject──► dropped     waiting ──predecessor done──► queued
--	                           (predecessor not done, or planned anew) ──► dropped
CREATE TABLE job (
  id         BIGINT NOT NULL,   -- from reserve_jobs
  tenant     TEXT COLLATE "C" NOT NULL,
  site       TEXT COLLATE "C" NOT NULL,
  system     TEXT COLLATE "C" NOT NULL,
  object     TEXT COLLATE "C" NOT NULL,     -- native id; the person's id for a create; '' for reads
  person     TEXT COLLATE "C" NOT NULL DEFAULT '',
  cycle      BIGINT NOT NULL DEFAULT 0,
  class      TEXT COLLATE "C" NOT NULL,     -- create, modify, move, enable, disable, membership, password, delete, read, find, probe, schema
  state      TEXT COLLATE "C" NOT NULL,
  after      BIGINT NOT NULL DEFAULT 0,  -- job that must be done first
  priority   BIGINT NOT NULL DEFAULT 0,
  not_before BIGINT NOT NULL DEFAULT 0,
  not_after  BIGINT NOT NULL DEFAULT 0,
  agent      TEXT COLLATE "C" NOT NULL DEFAULT '',    -- to whom it was sent
  made       BIGINT NOT NULL,
  sent       BIGINT NOT NULL DEFAULT 0,
  ended      BIGINT NOT NULL DEFAULT 0,
  outcome    TEXT COLLATE "C" NOT NULL DEFAULT '',
  fault      TEXT COLLATE "C" NOT NULL DEFAULT '',    -- connectorv1.Fault, JSON
  settles    BIGINT NOT NULL DEFAULT 0,  -- 1: where it leaves what it wants, its person need not be planned again
  fence      BIGINT NOT NULL DEFAULT 0,  -- rises in the order in which the object's jobs may run; 0: the id
  PRIMARY KEY (tenant, id)
) WITH (fillfactor = 70);
CREATE INDEX job_open ON job (tenant, state, site, priority DESC, id) WHERE ended = 0;
CREATE INDEX job_id_alone ON job (id);  -- of statements that take ids of a transaction's own reading
CREATE INDEX job_taking ON job (made) WHERE class IN ('disable','delete','move','membership');  -- what thresholds count
CREATE INDEX job_read ON job (tenant, system, class) WHERE object = '' AND ended = 0;
CREATE INDEX job_after ON job (after) WHERE after <> 0;
CREATE INDEX job_person ON job (tenant, person, id) WHERE person <> '';

-- What a job is made of: written once, while its row changes with each step.
CREATE TABLE job_work (
  tenant  TEXT COLLATE "C" NOT NULL,
  id      BIGINT NOT NULL,
  work    BYTEA NOT NULL,        -- linkv1.Job without id, protobuf
  reasons TEXT COLLATE "C" NOT NULL,        -- why: per attribute rule, source and value; JSON
  PRIMARY KEY (tenant, id)
);

-- Ids of jobs rise; a block of n is one transaction's, and none waits for another's end to get it.
CREATE SEQUENCE job_id;
-- +goose StatementBegin
CREATE FUNCTION reserve_jobs(n BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE first BIGINT;
BEGIN
  PERFORM pg_advisory_lock(1685221994, 0);
  first := nextval('job_id');
  PERFORM setval('job_id', first + n - 1);
  PERFORM pg_advisory_unlock(1685221994, 0);
  RETURN first;
END $$;
-- +goose StatementEnd

-- The provisioning log: written in the transaction of what it tells, never changed.
CREATE TABLE history (
  seq    BIGINT NOT NULL GENERATED BY DEFAULT AS IDENTITY,
  tenant TEXT COLLATE "C" NOT NULL,
  at     BIGINT NOT NULL,
  kind   TEXT COLLATE "C" NOT NULL,         -- source-changed, source-gone, planned, held, written, unchanged, failed, matched, config, audit, …
  system TEXT COLLATE "C" NOT NULL DEFAULT '',
  person TEXT COLLATE "C" NOT NULL DEFAULT '',
  account TEXT COLLATE "C" NOT NULL DEFAULT '',
  job    BIGINT NOT NULL DEFAULT 0,
  text   TEXT COLLATE "C" NOT NULL,         -- one line for people
  body   BYTEA,                  -- JSON: per attribute before, after, rule, source
  PRIMARY KEY (tenant, seq)
);
CREATE INDEX history_person ON history (tenant, person, seq) WHERE person <> '';
CREATE INDEX history_rare ON history (tenant, kind, seq) WHERE kind NOT IN ('source-changed','planned','written');

CREATE TABLE api_token (
  tenant TEXT COLLATE "C" NOT NULL,
  id     TEXT COLLATE "C" NOT NULL,
  secret BYTEA NOT NULL,         -- SHA-256
  name   TEXT COLLATE "C" NOT NULL,
  made   BIGINT NOT NULL,
  used   BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, id)
);

-- +goose Down
DROP TABLE api_token; DROP TABLE history; DROP TABLE job_work; DROP TABLE job; DROP TABLE problem; DROP TABLE waiting; DROP TABLE alarm; DROP TABLE due;
DROP TABLE name; DROP TABLE account; DROP TABLE person; DROP TABLE reject; DROP TABLE cycle; DROP TABLE system; DROP TABLE agent;
DROP TABLE join_token; DROP TABLE tenant; DROP FUNCTION reserve_jobs; DROP SEQUENCE job_id;
