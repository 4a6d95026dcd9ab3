-- +goose Up

-- What was removed because its time was over, by kind.
CREATE TABLE retired (
  tenant TEXT NOT NULL,
  name   TEXT NOT NULL,         -- jobs, history, answers, deliveries, cycles, plans, audit
  n      INTEGER NOT NULL,      -- rows so far
  at     INTEGER NOT NULL,      -- when it was last looked for what is to be removed
  PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

-- Up to when lines of the audit may be removed, where somebody has set that they are not kept for ever.
CREATE TABLE audit_end (
  tenant TEXT NOT NULL,
  before INTEGER NOT NULL,
  PRIMARY KEY (tenant)
) WITHOUT ROWID;

DROP TRIGGER audit_stays_whole;
-- +goose StatementBegin
CREATE TRIGGER audit_stays_whole BEFORE DELETE ON audit
WHEN old.at >= coalesce((SELECT before FROM audit_end WHERE tenant = old.tenant), 0)
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER audit_stays_whole;
-- +goose StatementBegin
CREATE TRIGGER audit_stays_whole BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
-- +goose StatementEnd
DROP TABLE audit_end; DROP TABLE retired;
