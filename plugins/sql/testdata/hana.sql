
-- read of accounts with their memberships
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT "ID", "LOGIN" FROM "ACCOUNTS" t WHERE (level < 9) ORDER BY "ID"
SELECT "ACCOUNT", "CREW" FROM "MEMBERS" WHERE "ACCOUNT" IN (?, ?) AND "CREW" IS NOT NULL ORDER BY "ACCOUNT", "CREW"
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
SELECT "ID" FROM "ACCOUNTS" t WHERE (level < 9) AND ("UPDATED" >= ? OR "UPDATED" IS NULL)
    -- time.Date(2024, time.January, 2, 8, 50, 0, 0, time.UTC)
SELECT "ID", "NAME" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" IN (?) ORDER BY "ID"
    -- 2

-- find
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT "ID", "NAME" FROM "ACCOUNTS" t WHERE (level < 9) AND "LOGIN" IN (?, ?) ORDER BY "ID"
    -- "ann", "o'brien"

-- create
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT "ID" FROM "ACCOUNTS" WHERE "LOGIN" = ?
    -- "eve"
INSERT INTO "ACCOUNTS" ("LOGIN", "NAME", "LEVEL", "STATUS") VALUES (?, ?, ?, ?)
    -- "eve", "O'Brien", 3, "A"
SELECT "ID" FROM "ACCOUNTS" WHERE "LOGIN" = ?
    -- "eve"
SELECT "ID", "LOGIN", "NAME", "LEVEL", "STATUS" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = ? ORDER BY "ID"
    -- 3

-- modify
UPDATE "ACCOUNTS" SET "NAME" = ?, "LEVEL" = ? WHERE "ID" = ? AND (level < 9) AND TO_NVARCHAR("NAME") = ? AND "LEVEL" = ?
    -- "Anne", 4, 1, "Ann", 1
SELECT "ID", "NAME", "LEVEL" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = ? ORDER BY "ID"
    -- 1

-- modify what is so already
UPDATE "ACCOUNTS" SET "NAME" = ? WHERE "ID" = ? AND (level < 9) AND TO_NVARCHAR("NAME") = ?
    -- "Anne", 1, "Ann"
SELECT "ID", "NAME" FROM "ACCOUNTS" WHERE "ID" = ? AND (level < 9) FOR UPDATE
    -- 1
SELECT "ID" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = ? ORDER BY "ID"
    -- 1

-- modify by a procedure
SELECT * FROM "ACCOUNTS" t WHERE 1 = 0
SELECT "ID", "NAME" FROM "ACCOUNTS" WHERE "ID" = ? FOR UPDATE
    -- 1
SELECT "ID", "NAME" FROM "ACCOUNTS" WHERE "ID" = ? FOR UPDATE
    -- 1
CALL "HR"."NOTE"(?, ?)
    -- 1, "anne"
SELECT "ID", "NAME" FROM "ACCOUNTS" t WHERE "ID" = ? ORDER BY "ID"
    -- 1

-- disable
SELECT "ID", "STATUS" FROM "ACCOUNTS" WHERE "ID" = ? AND (level < 9) FOR UPDATE
    -- 1
UPDATE "ACCOUNTS" SET "STATUS" = ? WHERE "ID" = ? AND (level < 9)
    -- "L", 1
SELECT "ID", "STATUS" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = ? ORDER BY "ID"
    -- 1

-- join
SELECT "ID" FROM "ACCOUNTS" WHERE "ID" = ? AND (level < 9) FOR UPDATE
    -- 1
SELECT "CREW" FROM "MEMBERS" WHERE "ACCOUNT" = ?
    -- 1
INSERT INTO "MEMBERS" ("ACCOUNT", "CREW") VALUES (?, ?)
    -- 1, "7"
SELECT "ID" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = ? ORDER BY "ID"
    -- 1

-- leave
SELECT "ID" FROM "ACCOUNTS" WHERE "ID" = ? AND (level < 9) FOR UPDATE
    -- 1
SELECT "CREW" FROM "MEMBERS" WHERE "ACCOUNT" = ?
    -- 1
DELETE FROM "MEMBERS" WHERE "ACCOUNT" = ? AND "CREW" = ?
    -- 1, "7"
SELECT "ID" FROM "ACCOUNTS" t WHERE (level < 9) AND "ID" = ? ORDER BY "ID"
    -- 1

-- delete
SELECT "ID" FROM "ACCOUNTS" WHERE "ID" = ? AND (level < 9) FOR UPDATE
    -- 3
DELETE FROM "MEMBERS" WHERE "ACCOUNT" = ?
    -- 3
DELETE FROM "ACCOUNTS" WHERE "ID" = ? AND (level < 9)
    -- 3
