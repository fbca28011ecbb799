ALTER TABLE "jobs" ADD COLUMN "tallies" TEXT NOT NULL DEFAULT '[]';
ALTER TABLE "jobs" ADD COLUMN "rerun" TEXT NOT NULL DEFAULT '';
ALTER TABLE "jobs" ADD COLUMN "reuse" INTEGER NOT NULL DEFAULT 1;
ALTER TABLE "results" ADD COLUMN "path" TEXT NOT NULL DEFAULT '';

CREATE TABLE "reuse" (
    "owner" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "job" TEXT NOT NULL,
    "stage" INTEGER NOT NULL,
    "item" INTEGER NOT NULL,
    PRIMARY KEY ("owner", "digest")
) STRICT;
CREATE INDEX "reuse_job" ON "reuse" ("job", "digest", "owner");
