-- +goose Up

-- What was removed because its time was over, by kind.
CREATE TABLE retired (
  tenant TEXT COLLATE "C" NOT NULL,
  name   TEXT COLLATE "C" NOT NULL,  -- jobs, history, answers, deliveries, cycles, plans, audit
  n      BIGINT NOT NULL,            -- rows so far
  at     BIGINT NOT NULL,            -- when it was last looked for what is to be removed
  PRIMARY KEY (tenant, name)
);

-- Up to when lines of the audit may be removed, where somebody has set that they are not kept for ever.
CREATE TABLE audit_end (
  tenant TEXT COLLATE "C" NOT NULL,
  before BIGINT NOT NULL,
  PRIMARY KEY (tenant)
);

DROP TRIGGER audit_stays ON audit;
CREATE TRIGGER audit_stays BEFORE UPDATE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
-- +goose StatementBegin
CREATE FUNCTION audit_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF old.at >= coalesce((SELECT before FROM audit_end WHERE tenant = old.tenant), 0) THEN
    RAISE EXCEPTION 'the audit is only added to';
  END IF;
  RETURN old;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_ends BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_ends();

-- +goose Down
DROP TRIGGER audit_ends ON audit; DROP FUNCTION audit_ends;
DROP TRIGGER audit_stays ON audit;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
DROP TABLE audit_end; DROP TABLE retired;
