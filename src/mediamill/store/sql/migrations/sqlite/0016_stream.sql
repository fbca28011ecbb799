-- What has come by the stream.
-- compatible: 8

CREATE TABLE "stream_jobs" (
    "job" TEXT NOT NULL,
    "results" TEXT NOT NULL,
    PRIMARY KEY ("job")
) STRICT;

CREATE TABLE "stream_partitions" (
    "source" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "topic" TEXT NOT NULL,
    "shelf" TEXT NOT NULL,
    "next" INTEGER NOT NULL,
    "files" INTEGER NOT NULL,
    "letters" INTEGER NOT NULL,
    "end" INTEGER,
    "seen" INTEGER,
    PRIMARY KEY ("source", "number")
) STRICT;
CREATE INDEX "stream_listed" ON "stream_partitions" ("shelf", "source", "number");
