-- +goose Up

-- Who may be sent new passwords: public keys only.
CREATE TABLE recipient (
  tenant TEXT NOT NULL,
  name   TEXT NOT NULL,     -- folded; a person's key for what is sealed to a manager
  label  TEXT NOT NULL,     -- the name as it was given
  public TEXT NOT NULL,     -- age1…
  made   INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
);

-- New passwords that nobody has picked up yet, each sealed in a connector.
CREATE TABLE password (
  tenant     TEXT NOT NULL,
  job        INTEGER NOT NULL,  -- that made it
  system     TEXT NOT NULL,
  person     TEXT NOT NULL,
  account    TEXT NOT NULL,     -- native id
  recipients TEXT NOT NULL,     -- keys that it is sealed to, JSON
  box        BLOB NOT NULL,     -- age
  made       INTEGER NOT NULL,
  PRIMARY KEY (tenant, job)
);
CREATE INDEX password_made ON password (made);
CREATE INDEX password_person ON password (tenant, person);

-- +goose Down
DROP TABLE password; DROP TABLE recipient;
