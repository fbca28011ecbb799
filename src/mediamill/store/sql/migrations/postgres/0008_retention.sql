-- What has to go after a time, and what is counted of it.
-- compatible: 1

ALTER TABLE "files" ADD COLUMN "expired" BIGINT;
ALTER TABLE "files" ADD COLUMN "counted" BIGINT;
ALTER TABLE "files" ADD COLUMN "past_items" BIGINT;
ALTER TABLE "files" ADD COLUMN "past_failed" BIGINT;
ALTER TABLE "files" ADD COLUMN "past_results" BIGINT;
ALTER TABLE "files" ADD COLUMN "past_bytes" BIGINT;
ALTER TABLE "results" ADD COLUMN "root" TEXT COLLATE "C";
ALTER TABLE "results" ADD COLUMN "expired" BIGINT;
ALTER TABLE "jobs" ADD COLUMN "trimming" BIGINT;
ALTER TABLE "deliveries" ADD COLUMN "about" TEXT COLLATE "C";
ALTER TABLE "jobs" ADD COLUMN "expired" BIGINT NOT NULL DEFAULT 0;

CREATE INDEX "file_aging" ON "files" ("source", "created", "id");
CREATE INDEX "result_root" ON "results" ("root", "job", "stage", "item")
    WHERE "root" IS NOT NULL;
CREATE INDEX "delivery_about" ON "deliveries" ("about", "webhook", "event")
    WHERE "about" IS NOT NULL;

CREATE TABLE "daily" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "shelf" TEXT COLLATE "C" NOT NULL,
    "day" TEXT COLLATE "C" NOT NULL,
    "source" TEXT COLLATE "C" NOT NULL,
    "media_type" TEXT COLLATE "C" NOT NULL,
    "outcome" TEXT COLLATE "C" NOT NULL,
    "files" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "items" BIGINT NOT NULL,
    "results" BIGINT NOT NULL,
    "result_bytes" BIGINT NOT NULL,
    PRIMARY KEY ("owner", "id")
);
CREATE INDEX "daily_all" ON "daily" ("shelf", "id", "owner");

CREATE TABLE "gates" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "turn" BIGINT NOT NULL,
    PRIMARY KEY ("owner")
);

CREATE TABLE "jobs_cut_short" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "job" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("owner", "job")
);

CREATE TABLE "origins" (
    "id" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "source" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "expired" BIGINT,
    "counted" BIGINT,
    "purges" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "origin_aging" ON "origins" ("source", "created", "id");

CREATE TABLE "sweeps" (
    "source" TEXT COLLATE "C" NOT NULL,
    "swept" BIGINT,
    "files" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "rule" TEXT COLLATE "C",
    "wanted" TEXT COLLATE "C",
    "since" BIGINT,
    PRIMARY KEY ("source")
);
