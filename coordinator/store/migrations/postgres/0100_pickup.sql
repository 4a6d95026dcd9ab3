-- +goose Up

-- One-time links to pick up the passwords of a person's new accounts. The key that opens them is in the link alone.
CREATE TABLE pickup (
  tenant  TEXT COLLATE "C" NOT NULL,
  name    TEXT COLLATE "C" NOT NULL,             -- SHA-256 of the secret key, hexadecimal
  person  TEXT COLLATE "C" NOT NULL,
  public  TEXT COLLATE "C" NOT NULL,             -- age1…
  made    BIGINT NOT NULL,
  until   BIGINT NOT NULL,
  used    BIGINT NOT NULL DEFAULT 0,   -- when passwords were last fetched with it
  address TEXT COLLATE "C" NOT NULL DEFAULT '',  -- from where
  PRIMARY KEY (tenant, name)
);
CREATE UNIQUE INDEX pickup_name ON pickup (name);  -- who comes with a link tells no tenant
CREATE INDEX pickup_until ON pickup (until);

-- +goose Down
DROP TABLE pickup;
