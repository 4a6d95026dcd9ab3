-- +goose Up

-- Who did what, from where and why. It is only ever added to.
CREATE TABLE audit (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  who        TEXT NOT NULL,      -- as shown
  subject    TEXT NOT NULL,      -- for good
  means      TEXT NOT NULL,      -- token, session, …
  credential TEXT NOT NULL,      -- id of the token or session
  address    TEXT NOT NULL,
  browser    TEXT NOT NULL,      -- User-Agent
  action     TEXT NOT NULL,      -- operation id, sign-in, sign-out
  object     TEXT NOT NULL,
  detail     TEXT NOT NULL,
  outcome    TEXT NOT NULL,      -- done, refused
  reason     TEXT NOT NULL
);
CREATE INDEX audit_tenant ON audit (tenant, seq);
-- +goose StatementBegin
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_stays_whole BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit;
