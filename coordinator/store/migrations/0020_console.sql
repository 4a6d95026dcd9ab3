-- +goose Up

-- Words by which people are found: of key, name and mail, folded, with a space between. '': not found out yet.
ALTER TABLE person ADD COLUMN words TEXT NOT NULL DEFAULT '';

-- The index of these words. It is filled behind the writers, in the order of rowids: a hire does not wait for it. Rows with
-- rowids up to the greatest one in it are in it; a change of their words is made at once.
CREATE VIRTUAL TABLE person_word USING fts5(words, content='', contentless_delete=1, detail=none, prefix='1 2', tokenize='unicode61 remove_diacritics 0');

-- +goose StatementBegin
CREATE TRIGGER person_words_changed AFTER UPDATE OF words ON person
WHEN old.words <> new.words AND new.rowid <= (SELECT coalesce(max(id), 0) FROM person_word_docsize) BEGIN
  DELETE FROM person_word WHERE rowid = old.rowid;
  INSERT INTO person_word (rowid, words) VALUES (new.rowid, new.words);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER person_words_gone AFTER DELETE ON person BEGIN
  DELETE FROM person_word WHERE rowid = old.rowid;
END;
-- +goose StatementEnd

-- How often something happened in a span of time, and how long changes took.
CREATE TABLE tally (
  tenant TEXT NOT NULL,
  width  INTEGER NOT NULL,  -- of the span, in seconds; 0: a cycle
  at     INTEGER NOT NULL,  -- when the span begins; of a cycle, its id
  system TEXT NOT NULL,
  name   TEXT NOT NULL,     -- class and outcome of a job, such as "create done"; "lag N": see tally.go
  n      INTEGER NOT NULL,
  PRIMARY KEY (tenant, width, at, system, name)
) WITHOUT ROWID;

-- What came back of a job: linkv1.Result without what is secret, protobuf.
CREATE TABLE job_answer (
  id     INTEGER PRIMARY KEY,
  answer BLOB NOT NULL
);

ALTER TABLE job ADD COLUMN since INTEGER NOT NULL DEFAULT 0;  -- when the record of a source came that it answers; 0: another reason

ALTER TABLE job ADD COLUMN trace TEXT NOT NULL DEFAULT '';   -- traceparent (W3C) of what it is part of

-- Who is due because of a record of a source: when that came, in which cycle, and as part of which trace.
ALTER TABLE due ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE due ADD COLUMN cycle INTEGER NOT NULL DEFAULT 0;
ALTER TABLE due ADD COLUMN trace TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE due DROP COLUMN trace;
ALTER TABLE due DROP COLUMN cycle;
ALTER TABLE due DROP COLUMN since;
ALTER TABLE job DROP COLUMN trace;
ALTER TABLE job DROP COLUMN since;
DROP TABLE job_answer;
DROP TABLE tally;
DROP TRIGGER person_words_gone;
DROP TRIGGER person_words_changed;
DROP TABLE person_word;
ALTER TABLE person DROP COLUMN words;
