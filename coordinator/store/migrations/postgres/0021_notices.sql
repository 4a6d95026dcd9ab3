-- +goose Up

-- What was done under an idempotency key, so that asking for it again does it once.
CREATE TABLE keyed (
  tenant  TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,   -- who asked
  name    TEXT COLLATE "C" NOT NULL,   -- the key
  request BYTEA NOT NULL,   -- SHA-256 of method, path, query and body
  status  BIGINT NOT NULL, -- of the answer; 0: it was done, and its answer is not known
  kind    TEXT COLLATE "C" NOT NULL,   -- media type of the answer
  answer  BYTEA NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (tenant, subject, name)
);

-- Where somebody wants to be told by HTTP of what needs a person, or happens.
CREATE TABLE webhook (
  tenant   TEXT COLLATE "C" NOT NULL,
  id       TEXT COLLATE "C" NOT NULL,
  name     TEXT COLLATE "C" NOT NULL,
  url      TEXT COLLATE "C" NOT NULL,
  secret   TEXT COLLATE "C" NOT NULL,   -- base64 behind whsec_
  kinds    TEXT COLLATE "C" NOT NULL,   -- JSON array of kinds of events; empty: all
  paused   BIGINT NOT NULL DEFAULT 0,
  made     BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (tenant, id)
);

-- Who is told by e-mail.
CREATE TABLE mail_to (
  tenant  TEXT COLLATE "C" NOT NULL,
  address TEXT COLLATE "C" NOT NULL,
  kinds   TEXT COLLATE "C" NOT NULL,    -- JSON array of kinds of events; empty: all that need a person
  made    BIGINT NOT NULL,
  PRIMARY KEY (tenant, address)
);

-- What is told, and to whom: made in the transaction that finds it out.
CREATE TABLE notice (
  tenant   TEXT COLLATE "C" NOT NULL,
  id       TEXT COLLATE "C" NOT NULL,   -- the same for every receiver of an event, and for each try
  receiver TEXT COLLATE "C" NOT NULL,   -- id of a webhook; mailto:address
  kind     TEXT COLLATE "C" NOT NULL,
  body     BYTEA NOT NULL,   -- JSON
  made     BIGINT NOT NULL,
  next     BIGINT NOT NULL,   -- when it is tried; 0: no more
  tries    BIGINT NOT NULL DEFAULT 0,
  done     BIGINT NOT NULL DEFAULT 0, -- when it was delivered
  status   BIGINT NOT NULL DEFAULT 0, -- HTTP status of the last answer
  detail   TEXT COLLATE "C" NOT NULL DEFAULT '', -- what came of the last try
  took     BIGINT NOT NULL DEFAULT 0, -- milliseconds
  PRIMARY KEY (tenant, receiver, made, id)
);
CREATE INDEX notice_next ON notice (next) WHERE next <> 0;

-- What was told already and is still so, so that it is told once.
CREATE TABLE told (
  tenant TEXT COLLATE "C" NOT NULL,
  name   TEXT COLLATE "C" NOT NULL,
  at     BIGINT NOT NULL,
  PRIMARY KEY (tenant, name)
);

-- The last check of each system from end to end: a read, a probe, a schema.
CREATE TABLE checked (
  tenant TEXT COLLATE "C" NOT NULL,
  system TEXT COLLATE "C" NOT NULL,
  at     BIGINT NOT NULL,
  what   TEXT COLLATE "C" NOT NULL,     -- class of the job that it was
  good   BIGINT NOT NULL,   -- when one last worked; 0: never
  fault  TEXT COLLATE "C" NOT NULL,     -- connectorv1.Fault, JSON; empty where it worked
  took   BIGINT NOT NULL,   -- milliseconds from when it was wanted until the result was in the store
  PRIMARY KEY (tenant, system)
);

-- +goose Down
DROP TABLE checked;
DROP TABLE told; DROP TABLE notice; DROP TABLE mail_to; DROP TABLE webhook; DROP TABLE keyed;
