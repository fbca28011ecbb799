-- What has to go after a time, and what is counted of it.
-- compatible: 8

ALTER TABLE "files" ADD COLUMN "expired" INTEGER;
ALTER TABLE "files" ADD COLUMN "counted" INTEGER;
ALTER TABLE "files" ADD COLUMN "past_items" INTEGER;
ALTER TABLE "files" ADD COLUMN "past_failed" INTEGER;
ALTER TABLE "files" ADD COLUMN "past_results" INTEGER;
ALTER TABLE "files" ADD COLUMN "past_bytes" INTEGER;
ALTER TABLE "results" ADD COLUMN "root" TEXT;
ALTER TABLE "results" ADD COLUMN "expired" INTEGER;
ALTER TABLE "jobs" ADD COLUMN "trimming" INTEGER;
ALTER TABLE "deliveries" ADD COLUMN "about" TEXT;
ALTER TABLE "jobs" ADD COLUMN "expired" INTEGER NOT NULL DEFAULT 0;

CREATE INDEX "file_aging" ON "files" ("source", "created", "id");
CREATE INDEX "result_root" ON "results" ("root", "job", "stage", "item")
    WHERE "root" IS NOT NULL;
CREATE INDEX "delivery_about" ON "deliveries" ("about", "webhook", "event")
    WHERE "about" IS NOT NULL;

CREATE TABLE "daily" (
    "owner" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "shelf" TEXT NOT NULL,
    "day" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "files" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL,
    "items" INTEGER NOT NULL,
    "results" INTEGER NOT NULL,
    "result_bytes" INTEGER NOT NULL,
    PRIMARY KEY ("owner", "id")
) STRICT;
CREATE INDEX "daily_all" ON "daily" ("shelf", "id", "owner");

CREATE TABLE "gates" (
    "owner" TEXT NOT NULL,
    "turn" INTEGER NOT NULL,
    PRIMARY KEY ("owner")
) STRICT;

CREATE TABLE "jobs_cut_short" (
    "owner" TEXT NOT NULL,
    "job" TEXT NOT NULL,
    PRIMARY KEY ("owner", "job")
) STRICT;

CREATE TABLE "origins" (
    "id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "expired" INTEGER,
    "counted" INTEGER,
    "purges" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "origin_aging" ON "origins" ("source", "created", "id");

CREATE TABLE "sweeps" (
    "source" TEXT NOT NULL,
    "swept" INTEGER,
    "files" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL,
    "rule" TEXT,
    "wanted" TEXT,
    "since" INTEGER,
    PRIMARY KEY ("source")
) STRICT;
