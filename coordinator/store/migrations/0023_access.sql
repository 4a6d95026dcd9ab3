-- +goose Up

-- API tokens have roles and an end. One of the release before may do everything but read the audit by itself.
ALTER TABLE api_token ADD COLUMN roles TEXT NOT NULL DEFAULT 'administrator';  -- with commas
ALTER TABLE api_token ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;           -- 0: never
ALTER TABLE api_token ADD COLUMN maker TEXT NOT NULL DEFAULT '';               -- who made it
CREATE INDEX api_token_id ON api_token (id);

-- Somebody signed in at a browser.
CREATE TABLE session (
  tenant  TEXT NOT NULL,
  id      TEXT NOT NULL,        -- hex
  secret  BLOB NOT NULL,        -- SHA-256 of what the cookie holds
  subject TEXT NOT NULL,        -- who, as their provider knows them for good
  name    TEXT NOT NULL,        -- as shown
  email   TEXT NOT NULL DEFAULT '',
  roles   TEXT NOT NULL,        -- with commas
  means   TEXT NOT NULL,        -- how they signed in
  made    INTEGER NOT NULL,
  seen    INTEGER NOT NULL,
  expires INTEGER NOT NULL,     -- whatever they do
  address TEXT NOT NULL,        -- from where they signed in
  browser TEXT NOT NULL,        -- User-Agent
  PRIMARY KEY (tenant, id)
);
CREATE INDEX session_id ON session (id);

-- What is good once, and soon no more: links that sign in, sign-ins that are under way.
CREATE TABLE once (
  tenant  TEXT NOT NULL,
  id      TEXT NOT NULL,        -- SHA-256 of its secret, hex
  use     TEXT NOT NULL,        -- what it is good for
  detail  TEXT NOT NULL,        -- JSON
  made    INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX once_id ON once (id);

-- +goose Down
DROP TABLE once; DROP TABLE session; DROP INDEX api_token_id;
ALTER TABLE api_token DROP COLUMN maker; ALTER TABLE api_token DROP COLUMN expires; ALTER TABLE api_token DROP COLUMN roles;
