-- Analytics: what was done, by day.
-- compatible: 14

CREATE TABLE "figures" (
    "month" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "day" TEXT COLLATE "C" NOT NULL,
    "about" TEXT COLLATE "C" NOT NULL,
    "slot" BIGINT NOT NULL,
    "turn" BIGINT NOT NULL,
    "customer" TEXT COLLATE "C" NOT NULL,
    "source" TEXT COLLATE "C" NOT NULL,
    "media_type" TEXT COLLATE "C" NOT NULL,
    "operation" TEXT COLLATE "C" NOT NULL,
    "provider" TEXT COLLATE "C" NOT NULL,
    "model" TEXT COLLATE "C" NOT NULL,
    "status" TEXT COLLATE "C" NOT NULL,
    "count" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "items" BIGINT NOT NULL,
    "results" BIGINT NOT NULL,
    "result_bytes" BIGINT NOT NULL,
    "timed" BIGINT NOT NULL,
    "milliseconds" BIGINT NOT NULL,
    "under_100ms" BIGINT NOT NULL,
    "under_300ms" BIGINT NOT NULL,
    "under_1s" BIGINT NOT NULL,
    "under_3s" BIGINT NOT NULL,
    "under_10s" BIGINT NOT NULL,
    "under_30s" BIGINT NOT NULL,
    "under_100s" BIGINT NOT NULL,
    "under_300s" BIGINT NOT NULL,
    "under_1000s" BIGINT NOT NULL,
    "under_3000s" BIGINT NOT NULL,
    "under_10000s" BIGINT NOT NULL,
    "under_30000s" BIGINT NOT NULL,
    "under_100000s" BIGINT NOT NULL,
    "input_tokens" BIGINT NOT NULL,
    "output_tokens" BIGINT NOT NULL,
    "images" BIGINT NOT NULL,
    "cost" BIGINT NOT NULL,
    PRIMARY KEY ("month", "id")
);

-- What a unit's outcomes were made of, and whom an account is billed to.
ALTER TABLE "units" ADD COLUMN "tally" TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE "users" ADD COLUMN "customer" TEXT COLLATE "C" NOT NULL DEFAULT '';
