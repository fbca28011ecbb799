CREATE TABLE "emails" (
    "email" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    PRIMARY KEY ("email")
) STRICT;

CREATE TABLE "files" (
    "id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "listed" TEXT,
    "name" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    "crc32" INTEGER NOT NULL,
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "duration" REAL NOT NULL,
    "source" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "blob" TEXT NOT NULL,
    "thumbnail" TEXT,
    "lineage" TEXT NOT NULL,
    "tags" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "expires" INTEGER,
    "trashed" INTEGER,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "file_listed" ON "files" ("listed", "id")
    WHERE "listed" IS NOT NULL;
CREATE INDEX "file_digest" ON "files" ("owner", "sha256", "id");

CREATE TABLE "jobs" (
    "id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "listed" TEXT,
    "active" TEXT,
    "open" TEXT,
    "checked" INTEGER,
    "name" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "cancelling" INTEGER NOT NULL,
    "steps" TEXT NOT NULL,
    "klass" TEXT NOT NULL,
    "seed" INTEGER NOT NULL,
    "stage" INTEGER NOT NULL,
    "stages" INTEGER NOT NULL,
    "generation" INTEGER NOT NULL,
    "items" INTEGER NOT NULL,
    "counts" TEXT NOT NULL,
    "failed_earlier" INTEGER NOT NULL,
    "expanded" INTEGER NOT NULL,
    "units" INTEGER NOT NULL,
    "watermark" INTEGER NOT NULL,
    "sealing" INTEGER NOT NULL,
    "cost" REAL NOT NULL,
    "spent" REAL NOT NULL,
    "revision" INTEGER NOT NULL,
    "layout" TEXT,
    "download_size" INTEGER NOT NULL,
    "download_etag" TEXT NOT NULL,
    "error" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "started" INTEGER,
    "finished" INTEGER,
    "deleted" INTEGER,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "job_listed" ON "jobs" ("listed", "id")
    WHERE "listed" IS NOT NULL;
CREATE INDEX "job_open" ON "jobs" ("open", "checked", "id")
    WHERE "open" IS NOT NULL AND "checked" IS NOT NULL;
CREATE INDEX "job_active" ON "jobs" ("active", "id")
    WHERE "active" IS NOT NULL;

CREATE TABLE "lanes" (
    "klass" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "active" TEXT,
    "parked" TEXT,
    "wake" INTEGER,
    "vtime" REAL NOT NULL,
    "epoch" INTEGER NOT NULL,
    PRIMARY KEY ("klass", "owner")
) STRICT;
CREATE INDEX "lane_active" ON "lanes" ("active", "vtime", "owner", "klass")
    WHERE "active" IS NOT NULL;
CREATE INDEX "lane_wake" ON "lanes" ("parked", "wake", "owner", "klass")
    WHERE "parked" IS NOT NULL AND "wake" IS NOT NULL;

CREATE TABLE "manifests" (
    "job" TEXT NOT NULL,
    "stage" INTEGER NOT NULL,
    "page" INTEGER NOT NULL,
    "inline" BLOB,
    "blob" TEXT,
    PRIMARY KEY ("job", "stage", "page")
) STRICT;

CREATE TABLE "results" (
    "job" TEXT NOT NULL,
    "stage" INTEGER NOT NULL,
    "item" INTEGER NOT NULL,
    "generation" INTEGER NOT NULL,
    "outcome" TEXT NOT NULL,
    "input" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "files" TEXT NOT NULL,
    "data" TEXT,
    "report" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "error" TEXT NOT NULL,
    "retryable" INTEGER NOT NULL,
    "seconds" REAL NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("job", "stage", "item")
) STRICT;
CREATE INDEX "result_outcome" ON "results" ("job", "outcome", "stage", "item");

CREATE TABLE "tokens" (
    "digest" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "expires" INTEGER,
    PRIMARY KEY ("digest")
) STRICT;
CREATE INDEX "token_user" ON "tokens" ("user", "kind", "id", "digest");

CREATE TABLE "units" (
    "group" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "kind" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "klass" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "queue" TEXT,
    "due" INTEGER,
    "fence" INTEGER NOT NULL,
    "cost" REAL NOT NULL,
    "payload" TEXT NOT NULL,
    "done" BLOB NOT NULL,
    "strikes" TEXT NOT NULL,
    "current" INTEGER,
    "attempts" INTEGER NOT NULL,
    "lost" INTEGER NOT NULL,
    "succeeded" INTEGER NOT NULL,
    "failed" INTEGER NOT NULL,
    "reused" INTEGER NOT NULL,
    "progress" REAL NOT NULL,
    "started" INTEGER,
    "holder" TEXT NOT NULL,
    "error" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "finished" INTEGER,
    PRIMARY KEY ("group", "seq")
) STRICT;
CREATE INDEX "unit_due" ON "units" ("queue", "due", "group", "seq")
    WHERE "queue" IS NOT NULL AND "due" IS NOT NULL;

CREATE TABLE "users" (
    "id" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "password" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "disabled" INTEGER NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
