-- +goose Up

-- What a person is known by besides their present key: keys of earlier or other records, and values of the attributes by
-- which records of another key are recognised.
CREATE TABLE known (
  tenant TEXT COLLATE "C" NOT NULL,
  path   TEXT COLLATE "C" NOT NULL,     -- of the attribute; '' for a key
  value  TEXT COLLATE "C" NOT NULL,     -- folded
  person TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, path, value, person)
);
CREATE INDEX known_person ON known (tenant, person);

-- Attributes by which people are recognised: their values are in known, of every person.
CREATE TABLE known_path (
  tenant TEXT COLLATE "C" NOT NULL,
  path   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, path)
);

ALTER TABLE person ADD COLUMN spelled TEXT COLLATE "C" NOT NULL DEFAULT '';  -- the key as the source writes it

-- +goose Down
ALTER TABLE person DROP COLUMN spelled;
DROP TABLE known_path; DROP TABLE known;
