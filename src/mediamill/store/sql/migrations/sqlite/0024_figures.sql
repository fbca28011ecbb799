-- Analytics: what was done, by day.
-- compatible: 23

CREATE TABLE "figures" (
    "month" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "day" TEXT NOT NULL,
    "about" TEXT NOT NULL,
    "slot" INTEGER NOT NULL,
    "turn" INTEGER NOT NULL,
    "customer" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL,
    "items" INTEGER NOT NULL,
    "results" INTEGER NOT NULL,
    "result_bytes" INTEGER NOT NULL,
    "timed" INTEGER NOT NULL,
    "milliseconds" INTEGER NOT NULL,
    "under_100ms" INTEGER NOT NULL,
    "under_300ms" INTEGER NOT NULL,
    "under_1s" INTEGER NOT NULL,
    "under_3s" INTEGER NOT NULL,
    "under_10s" INTEGER NOT NULL,
    "under_30s" INTEGER NOT NULL,
    "under_100s" INTEGER NOT NULL,
    "under_300s" INTEGER NOT NULL,
    "under_1000s" INTEGER NOT NULL,
    "under_3000s" INTEGER NOT NULL,
    "under_10000s" INTEGER NOT NULL,
    "under_30000s" INTEGER NOT NULL,
    "under_100000s" INTEGER NOT NULL,
    "input_tokens" INTEGER NOT NULL,
    "output_tokens" INTEGER NOT NULL,
    "images" INTEGER NOT NULL,
    "cost" INTEGER NOT NULL,
    PRIMARY KEY ("month", "id")
) STRICT;

-- What a unit's outcomes were made of, and whom an account is billed to.
ALTER TABLE "units" ADD COLUMN "tally" TEXT NOT NULL DEFAULT '{}';
ALTER TABLE "users" ADD COLUMN "customer" TEXT NOT NULL DEFAULT '';
