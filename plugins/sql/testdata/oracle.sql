
-- read of accounts with their memberships
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT "ID", "LOGIN" FROM "ACCOUNTS" t WHERE (level < 9) ORDER BY "ID"
SELECT "ACCOUNT", "CREW" FROM "MEMBERS" WHERE "ACCOUNT" IN (:1, :2) AND "CREW" IS NOT NULL ORDER BY "ACCOUNT", "CREW"
    -- 1, 2

-- read of dated rows and the row to come
SELECT * FROM (SELECT * FROM posts) t WHERE 1 = 0
SELECT "PERSON", "TITLE", "drawbridge_next_TITLE" FROM (SELECT n.*, CASE WHEN LEAD(drawbridge_state) OVER (PARTITION BY "PERSON" ORDER BY CASE WHEN drawbridge_n = 1 THEN 0 WHEN drawbridge_state = 1 THEN 1 ELSE 2 END, "SINCE", "SEQ" DESC) = 1 THEN LEAD("TITLE") OVER (PARTITION BY "PERSON" ORDER BY CASE WHEN drawbridge_n = 1 THEN 0 WHEN drawbridge_state = 1 THEN 1 ELSE 2 END, "SINCE", "SEQ" DESC) END AS "drawbridge_next_TITLE" FROM (SELECT t.*, CASE WHEN "SINCE" > TO_DATE('TODAY', 'YYYY-MM-DD') THEN 1 WHEN "UNTIL" < TO_DATE('TODAY', 'YYYY-MM-DD') THEN 2 ELSE 0 END AS drawbridge_state, ROW_NUMBER() OVER (PARTITION BY "PERSON" ORDER BY CASE WHEN "SINCE" > TO_DATE('TODAY', 'YYYY-MM-DD') THEN 1 WHEN "UNTIL" < TO_DATE('TODAY', 'YYYY-MM-DD') THEN 2 ELSE 0 END, CASE WHEN "SINCE" > TO_DATE('TODAY', 'YYYY-MM-DD') THEN "SINCE" END, "SINCE" DESC, "SEQ" DESC) AS drawbridge_n FROM (SELECT * FROM posts) t) n) e WHERE drawbridge_n = 1 AND drawbridge_state < 2 ORDER BY "PERSON"

-- read of changes, from a full one
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT COUNT(*), MAX("UPDATED") FROM "ACCOUNTS" t WHERE (level < 9)
SELECT "ID", "NAME" FROM "ACCOUNTS" t WHERE (level < 9) ORDER BY "ID"
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT COUNT(*), MAX("UPDATED") FROM "ACCOUNTS" t WHERE (level < 9)
SELECT "ID" FROM "ACCOUNTS" t WHERE (level < 9) AND ("UPDATED" >= :1 OR "UPDATED" IS NULL)
    -- time.Date(2024, time.January, 2, 8, 50, 0, 0, time.UTC)
SELECT "ID", "NAME" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" IN (:1) ORDER BY "ID"
    -- 2

-- find
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT "ID", "NAME" FROM "ACCOUNTS" t WHERE (level < 9) AND "LOGIN" IN (:1, :2) ORDER BY "ID"
    -- "ann", "o'brien"

-- create
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT "ID" FROM "ACCOUNTS" WHERE "LOGIN" = :1
    -- "eve"
INSERT INTO "ACCOUNTS" ("LOGIN", "NAME", "LEVEL", "STATUS") VALUES (:1, :2, :3, :4)
    -- "eve", "O'Brien", "3", "A"
SELECT "ID" FROM "ACCOUNTS" WHERE "LOGIN" = :1
    -- "eve"
SELECT "ID", "LOGIN", "NAME", "LEVEL", "STATUS" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = :1 ORDER BY "ID"
    -- 3

-- modify
UPDATE "ACCOUNTS" SET "NAME" = :1, "LEVEL" = :2 WHERE "ID" = :3 AND (level < 9) AND TO_CHAR("NAME") = :4 AND TO_CHAR("LEVEL") = :5
    -- "Anne", "4", 1, "Ann", "1"
SELECT "ID", "NAME", "LEVEL" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = :1 ORDER BY "ID"
    -- 1

-- modify what is so already
UPDATE "ACCOUNTS" SET "NAME" = :1 WHERE "ID" = :2 AND (level < 9) AND TO_CHAR("NAME") = :3
    -- "Anne", 1, "Ann"
SELECT "ID", "NAME" FROM "ACCOUNTS" WHERE "ID" = :1 AND (level < 9) FOR UPDATE
    -- 1
SELECT "ID" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = :1 ORDER BY "ID"
    -- 1

-- modify by a procedure
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT "ID", "NAME" FROM "ACCOUNTS" WHERE "ID" = :1 FOR UPDATE
    -- 1
SELECT "ID", "NAME" FROM "ACCOUNTS" WHERE "ID" = :1 FOR UPDATE
    -- 1
BEGIN "HR"."NOTE"(:1, :2); END;
    -- 1, "anne"
SELECT "ID", "NAME" FROM "ACCOUNTS" t WHERE "ID" = :1 ORDER BY "ID"
    -- 1

-- disable
SELECT "ID", "STATUS" FROM "ACCOUNTS" WHERE "ID" = :1 AND (level < 9) FOR UPDATE
    -- 1
UPDATE "ACCOUNTS" SET "STATUS" = :1 WHERE "ID" = :2 AND (level < 9)
    -- "L", 1
SELECT "ID", "STATUS" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = :1 ORDER BY "ID"
    -- 1

-- join
SELECT "ID" FROM "ACCOUNTS" WHERE "ID" = :1 AND (level < 9) FOR UPDATE
    -- 1
SELECT "CREW" FROM "MEMBERS" WHERE "ACCOUNT" = :1
    -- 1
INSERT INTO "MEMBERS" ("ACCOUNT", "CREW") VALUES (:1, :2)
    -- 1, "7"
SELECT "ID" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = :1 ORDER BY "ID"
    -- 1

-- leave
SELECT "ID" FROM "ACCOUNTS" WHERE "ID" = :1 AND (level < 9) FOR UPDATE
    -- 1
SELECT "CREW" FROM "MEMBERS" WHERE "ACCOUNT" = :1
    -- 1
DELETE FROM "MEMBERS" WHERE "ACCOUNT" = :1 AND "CREW" = :2
    -- 1, "7"
SELECT "ID" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = :1 ORDER BY "ID"
    -- 1

-- delete
SELECT "ID" FROM "ACCOUNTS" WHERE "ID" = :1 AND (level < 9) FOR UPDATE
    -- 3
DELETE FROM "MEMBERS" WHERE "ACCOUNT" = :1
    -- 3
DELETE FROM "ACCOUNTS" WHERE "ID" = :1 AND (level < 9)
    -- 3
