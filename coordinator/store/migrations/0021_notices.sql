-- +goose Up

-- What was done under an idempotency key, so that asking for it again does it once.
CREATE TABLE keyed (
  tenant  TEXT NOT NULL,
  subject TEXT NOT NULL,   -- who asked
  name    TEXT NOT NULL,   -- the key
  request BLOB NOT NULL,   -- SHA-256 of method, path, query and body
  status  INTEGER NOT NULL, -- of the answer; 0: it was done, and its answer is not known
  kind    TEXT NOT NULL,   -- media type of the answer
  answer  BLOB NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (tenant, subject, name)
);

-- Where somebody wants to be told by HTTP of what needs a person, or happens.
CREATE TABLE webhook (
  tenant   TEXT NOT NULL,
  id       TEXT NOT NULL,
  name     TEXT NOT NULL,
  url      TEXT NOT NULL,
  secret   TEXT NOT NULL,   -- base64 behind whsec_
  kinds    TEXT NOT NULL,   -- JSON array of kinds of events; empty: all
  paused   INTEGER NOT NULL DEFAULT 0,
  made     INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
);

-- Who is told by e-mail.
CREATE TABLE mail_to (
  tenant  TEXT NOT NULL,
  address TEXT NOT NULL,
  kinds   TEXT NOT NULL,    -- JSON array of kinds of events; empty: all that need a person
  made    INTEGER NOT NULL,
  PRIMARY KEY (tenant, address)
);

-- What is told, and to whom: made in the transaction that finds it out.
CREATE TABLE notice (
  tenant   TEXT NOT NULL,
  id       TEXT NOT NULL,   -- the same for every receiver of an event, and for each try
  receiver TEXT NOT NULL,   -- id of a webhook; mailto:address
  kind     TEXT NOT NULL,
  body     BLOB NOT NULL,   -- JSON
  made     INTEGER NOT NULL,
  next     INTEGER NOT NULL,   -- when it is tried; 0: no more
  tries    INTEGER NOT NULL DEFAULT 0,
  done     INTEGER NOT NULL DEFAULT 0, -- when it was delivered
  status   INTEGER NOT NULL DEFAULT 0, -- HTTP status of the last answer
  detail   TEXT NOT NULL DEFAULT '', -- what came of the last try
  took     INTEGER NOT NULL DEFAULT 0, -- milliseconds
  PRIMARY KEY (tenant, receiver, made, id)
);
CREATE INDEX notice_next ON notice (next) WHERE next <> 0;

-- What was told already and is still so, so that it is told once.
CREATE TABLE told (
  tenant TEXT NOT NULL,
  name   TEXT NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
);

-- The last check of each system from end to end: a read, a probe, a schema.
CREATE TABLE checked (
  tenant TEXT NOT NULL,
  system TEXT NOT NULL,
  at     INTEGER NOT NULL,
  what   TEXT NOT NULL,     -- class of the job that it was
  good   INTEGER NOT NULL,   -- when one last worked; 0: never
  fault  TEXT NOT NULL,     -- connectorv1.Fault, JSON; empty where it worked
  took   INTEGER NOT NULL,   -- milliseconds from when it was wanted until the result was in the store
  PRIMARY KEY (tenant, system)
);

-- +goose Down
DROP TABLE checked;
DROP TABLE told; DROP TABLE notice; DROP TABLE mail_to; DROP TABLE webhook; DROP TABLE keyed;
