-- What has come by the stream.
-- compatible: 1

CREATE TABLE "stream_jobs" (
    "job" TEXT COLLATE "C" NOT NULL,
    "results" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("job")
);

CREATE TABLE "stream_partitions" (
    "source" TEXT COLLATE "C" NOT NULL,
    "number" BIGINT NOT NULL,
    "topic" TEXT COLLATE "C" NOT NULL,
    "shelf" TEXT COLLATE "C" NOT NULL,
    "next" BIGINT NOT NULL,
    "files" BIGINT NOT NULL,
    "letters" BIGINT NOT NULL,
    "end" BIGINT,
    "seen" BIGINT,
    PRIMARY KEY ("source", "number")
);
CREATE INDEX "stream_listed" ON "stream_partitions" ("shelf", "source", "number");
