-- How many bytes each owner keeps, and of which rows that is the sum.

ALTER TABLE "files" ADD COLUMN "charged" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "uploads" ADD COLUMN "charged" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "jobs" ADD COLUMN "charged" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "units" ADD COLUMN "made" INTEGER NOT NULL DEFAULT 0;

CREATE TABLE "usage" (
    "owner" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "results" INTEGER NOT NULL,
    PRIMARY KEY ("owner")
) STRICT;

UPDATE "files" SET "charged" = "size" WHERE "state" IN ('ready', 'trashed');
UPDATE "uploads" SET "charged" = MAX(COALESCE("size", 0), "offset")
    WHERE "state" IN ('receiving', 'checking');

-- What the results that are there take; units count only what they make from now on.
CREATE TEMPORARY TABLE "made" AS
    SELECT "results"."job" AS "job", SUM(json_extract("file"."value", '$.size')) AS "bytes"
    FROM "results", json_each("results"."files") AS "file" GROUP BY "results"."job";
UPDATE "jobs" SET "charged" = "made"."bytes" FROM "made" WHERE "made"."job" = "jobs"."id";
DROP TABLE "made";

INSERT INTO "usage" ("owner", "bytes", "results")
    SELECT "owner", SUM("charged"), SUM("results") FROM (
        SELECT "owner", "charged", 0 AS "results" FROM "files"
        UNION ALL SELECT "owner", "charged", 0 FROM "uploads"
        UNION ALL SELECT "owner", "charged", "charged" FROM "jobs"
    ) WHERE "charged" > 0 GROUP BY "owner";
