
-- read of accounts with their memberships
SELECT * FROM [accounts] t WHERE 1 = 0
SELECT [id], [login] FROM [accounts] t WHERE (level < 9) ORDER BY [id]
SELECT [account], [crew] FROM [members] WHERE [account] IN (@p1, @p2) AND [crew] IS NOT NULL ORDER BY [account], [crew]
    -- 1, 2

-- read of dated rows and the row to come
SELECT * FROM (SELECT * FROM posts) t WHERE 1 = 0
SELECT [person], [drawbridge_next_title], [title] FROM (SELECT n.*, CASE WHEN LEAD(drawbridge_state) OVER (PARTITION BY [person] ORDER BY CASE WHEN drawbridge_n = 1 THEN 0 WHEN drawbridge_state = 1 THEN 1 ELSE 2 END, [since], [seq] DESC) = 1 THEN LEAD([title]) OVER (PARTITION BY [person] ORDER BY CASE WHEN drawbridge_n = 1 THEN 0 WHEN drawbridge_state = 1 THEN 1 ELSE 2 END, [since], [seq] DESC) END AS [drawbridge_next_title] FROM (SELECT t.*, CASE WHEN [since] > CAST('TODAY' AS date) THEN 1 WHEN [until] < CAST('TODAY' AS date) THEN 2 ELSE 0 END AS drawbridge_state, ROW_NUMBER() OVER (PARTITION BY [person] ORDER BY CASE WHEN [since] > CAST('TODAY' AS date) THEN 1 WHEN [until] < CAST('TODAY' AS date) THEN 2 ELSE 0 END, CASE WHEN [since] > CAST('TODAY' AS date) THEN [since] END, [since] DESC, [seq] DESC) AS drawbridge_n FROM (SELECT * FROM posts) t) n) e WHERE drawbridge_n = 1 AND drawbridge_state < 2 ORDER BY [person]

-- read of changes, from a full one
SELECT * FROM [accounts] t WHERE 1 = 0
SELECT COUNT(*), MAX([updated]) FROM [accounts] t WHERE (level < 9)
SELECT [id], [name] FROM [accounts] t WHERE (level < 9) ORDER BY [id]
SELECT * FROM [accounts] t WHERE 1 = 0
SELECT COUNT(*), MAX([updated]) FROM [accounts] t WHERE (level < 9)
SELECT [id] FROM [accounts] t WHERE (level < 9) AND ([updated] >= @p1 OR [updated] IS NULL)
    -- time.Date(2024, time.January, 2, 8, 50, 0, 0, time.UTC)
SELECT [id], [name] FROM [accounts] t WHERE (level < 9) AND [id] IN (@p1) ORDER BY [id]
    -- 2

-- find
SELECT * FROM [accounts] t WHERE 1 = 0
SELECT [id], [name] FROM [accounts] t WHERE (level < 9) AND [login] IN (@p1, @p2) ORDER BY [id]
    -- "ann", "o'brien"

-- create
SELECT * FROM [accounts] t WHERE 1 = 0
SELECT [id] FROM [accounts] WHERE [login] = @p1
    -- "eve"
INSERT INTO [accounts] ([login], [name], [level], [status]) OUTPUT INSERTED.[id] VALUES (@p1, @p2, @p3, @p4)
    -- "eve", "O'Brien", 3, "A"
SELECT [id], [login], [name], [level], [status] FROM [accounts] t WHERE (level < 9) AND [id] = @p1 ORDER BY [id]
    -- 3

-- modify
UPDATE [accounts] SET [name] = @p1, [level] = @p2 WHERE [id] = @p3 AND (level < 9) AND CAST([name] AS nvarchar(max)) COLLATE Latin1_General_100_BIN2 = @p4 AND [level] = @p5
    -- "Anne", 4, 1, "Ann", 1
SELECT [id], [name], [level] FROM [accounts] t WHERE (level < 9) AND [id] = @p1 ORDER BY [id]
    -- 1

-- modify what is so already
UPDATE [accounts] SET [name] = @p1 WHERE [id] = @p2 AND (level < 9) AND CAST([name] AS nvarchar(max)) COLLATE Latin1_General_100_BIN2 = @p3
    -- "Anne", 1, "Ann"
SELECT [id], [name] FROM [accounts] WITH (UPDLOCK, ROWLOCK) WHERE [id] = @p1 AND (level < 9)
    -- 1
SELECT [id] FROM [accounts] t WHERE (level < 9) AND [id] = @p1 ORDER BY [id]
    -- 1

-- modify by a procedure
SELECT * FROM [accounts] t WHERE 1 = 0
SELECT [id], [name] FROM [accounts] WITH (UPDLOCK, ROWLOCK) WHERE [id] = @p1
    -- 1
SELECT [id], [name] FROM [accounts] WITH (UPDLOCK, ROWLOCK) WHERE [id] = @p1
    -- 1
EXEC [hr].[note] @p1, @p2
    -- 1, "anne"
SELECT [id], [name] FROM [accounts] t WHERE [id] = @p1 ORDER BY [id]
    -- 1

-- disable
SELECT [id], [status] FROM [accounts] WITH (UPDLOCK, ROWLOCK) WHERE [id] = @p1 AND (level < 9)
    -- 1
UPDATE [accounts] SET [status] = @p1 WHERE [id] = @p2 AND (level < 9)
    -- "L", 1
SELECT [id], [status] FROM [accounts] t WHERE (level < 9) AND [id] = @p1 ORDER BY [id]
    -- 1

-- join
SELECT [id] FROM [accounts] WITH (UPDLOCK, ROWLOCK) WHERE [id] = @p1 AND (level < 9)
    -- 1
SELECT [crew] FROM [members] WHERE [account] = @p1
    -- 1
INSERT INTO [members] ([account], [crew]) VALUES (@p1, @p2)
    -- 1, "7"
SELECT [id] FROM [accounts] t WHERE (level < 9) AND [id] = @p1 ORDER BY [id]
    -- 1

-- leave
SELECT [id] FROM [accounts] WITH (UPDLOCK, ROWLOCK) WHERE [id] = @p1 AND (level < 9)
    -- 1
SELECT [crew] FROM [members] WHERE [account] = @p1
    -- 1
DELETE FROM [members] WHERE [account] = @p1 AND [crew] = @p2
    -- 1, "7"
SELECT [id] FROM [accounts] t WHERE (level < 9) AND [id] = @p1 ORDER BY [id]
    -- 1

-- delete
SELECT [id] FROM [accounts] WITH (UPDLOCK, ROWLOCK) WHERE [id] = @p1 AND (level < 9)
    -- 3
DELETE FROM [members] WHERE [account] = @p1
    -- 3
DELETE FROM [accounts] WHERE [id] = @p1 AND (level < 9)
    -- 3
