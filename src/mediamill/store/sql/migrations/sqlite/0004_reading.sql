-- Idempotency keys, the trash of jobs, jobs by their end, results by their input.

ALTER TABLE "jobs" ADD COLUMN "trash" TEXT;
DROP INDEX "job_active";
CREATE INDEX "job_active" ON "jobs" ("active", "created", "id")
    WHERE "active" IS NOT NULL;
CREATE INDEX "job_finished" ON "jobs" ("listed", "finished", "id")
    WHERE "listed" IS NOT NULL AND "finished" IS NOT NULL;
CREATE INDEX "job_trashed" ON "jobs" ("trash", "deleted", "id")
    WHERE "trash" IS NOT NULL AND "deleted" IS NOT NULL;
CREATE INDEX "result_input" ON "results" ("job", "input", "stage", "item");

CREATE TABLE "idempotency" (
    "owner" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "shelf" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "first" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "holder" TEXT NOT NULL,
    "until" INTEGER NOT NULL,
    "status" INTEGER NOT NULL,
    "headers" TEXT NOT NULL,
    "body" BLOB,
    "blob" TEXT,
    "digests" TEXT,
    "created" INTEGER NOT NULL,
    "expires" INTEGER NOT NULL,
    PRIMARY KEY ("owner", "name")
) STRICT;
CREATE INDEX "idempotency_expiry" ON "idempotency" ("shelf", "expires", "owner", "name");
