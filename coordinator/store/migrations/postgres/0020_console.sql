-- +goose Up

-- Words by which people are found: of key, name and mail, folded, with a space between. '': not found out yet.
ALTER TABLE person ADD COLUMN words TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN word_index TSVECTOR GENERATED ALWAYS AS (array_to_tsvector(array_remove(string_to_array(words, ' '), ''))) STORED;
CREATE INDEX person_word ON person USING gin (word_index);
CREATE INDEX person_wordless ON person (tenant, id) WHERE words = '';

-- How often something happened in a span of time, and how long changes took.
CREATE TABLE tally (
  tenant TEXT COLLATE "C" NOT NULL,
  width  BIGINT NOT NULL,  -- of the span, in seconds; 0: a cycle
  at     BIGINT NOT NULL,  -- when the span begins; of a cycle, its id
  system TEXT COLLATE "C" NOT NULL,
  name   TEXT COLLATE "C" NOT NULL,     -- class and outcome of a job, such as "create done"; "lag N": see tally.go
  n      BIGINT NOT NULL,
  PRIMARY KEY (tenant, width, at, system, name)
);

-- What came back of a job: linkv1.Result without what is secret, protobuf.
CREATE TABLE job_answer (
  tenant TEXT COLLATE "C" NOT NULL,
  id     BIGINT NOT NULL,
  answer BYTEA NOT NULL,
  PRIMARY KEY (tenant, id)
);

ALTER TABLE job ADD COLUMN since BIGINT NOT NULL DEFAULT 0;  -- when the record of a source came that it answers; 0: another reason

ALTER TABLE job ADD COLUMN trace TEXT COLLATE "C" NOT NULL DEFAULT '';   -- traceparent (W3C) of what it is part of

-- Who is due because of a record of a source: when that came, in which cycle, and as part of which trace.
ALTER TABLE due ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE due ADD COLUMN cycle BIGINT NOT NULL DEFAULT 0;
ALTER TABLE due ADD COLUMN trace TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE due DROP COLUMN trace;
ALTER TABLE due DROP COLUMN cycle;
ALTER TABLE due DROP COLUMN since;
ALTER TABLE job DROP COLUMN trace;
ALTER TABLE job DROP COLUMN since;
DROP TABLE job_answer;
DROP TABLE tally;
ALTER TABLE person DROP COLUMN word_index;
ALTER TABLE person DROP COLUMN words;
