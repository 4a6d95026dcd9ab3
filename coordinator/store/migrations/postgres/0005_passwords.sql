-- +goose Up

-- Who may be sent new passwords: public keys only.
CREATE TABLE recipient (
  tenant TEXT COLLATE "C" NOT NULL,
  name   TEXT COLLATE "C" NOT NULL,     -- folded; a person's key for what is sealed to a manager
  label  TEXT COLLATE "C" NOT NULL,     -- the name as it was given
  public TEXT COLLATE "C" NOT NULL,     -- age1…
  made   BIGINT NOT NULL,
  PRIMARY KEY (tenant, name)
);

-- New passwords that nobody has picked up yet, each sealed in a connector.
CREATE TABLE password (
  tenant     TEXT COLLATE "C" NOT NULL,
  job        BIGINT NOT NULL,  -- that made it
  system     TEXT COLLATE "C" NOT NULL,
  person     TEXT COLLATE "C" NOT NULL,
  account    TEXT COLLATE "C" NOT NULL,     -- native id
  recipients TEXT COLLATE "C" NOT NULL,     -- keys that it is sealed to, JSON
  box        BYTEA NOT NULL,     -- age
  made       BIGINT NOT NULL,
  PRIMARY KEY (tenant, job)
);
CREATE INDEX password_made ON password (made);
CREATE INDEX password_person ON password (tenant, person);

-- +goose Down
DROP TABLE password; DROP TABLE recipient;
