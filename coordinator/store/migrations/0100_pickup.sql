-- +goose Up

-- One-time links to pick up the passwords of a person's new accounts. The key that opens them is in the link alone.
CREATE TABLE pickup (
  tenant  TEXT NOT NULL,
  name    TEXT NOT NULL,             -- SHA-256 of the secret key, hexadecimal
  person  TEXT NOT NULL,
  public  TEXT NOT NULL,             -- age1…
  made    INTEGER NOT NULL,
  until   INTEGER NOT NULL,
  used    INTEGER NOT NULL DEFAULT 0,   -- when passwords were last fetched with it
  address TEXT NOT NULL DEFAULT '',  -- from where
  PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
CREATE UNIQUE INDEX pickup_name ON pickup (name);  -- who comes with a link tells no tenant
CREATE INDEX pickup_until ON pickup (until);

-- +goose Down
DROP TABLE pickup;
