CREATE TABLE "upload_parts" (
    "upload" TEXT NOT NULL,
    "start" INTEGER NOT NULL,
    "size" INTEGER NOT NULL,
    "blob" TEXT NOT NULL,
    PRIMARY KEY ("upload", "start")
) STRICT;

CREATE TABLE "uploads" (
    "id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "size" INTEGER,
    "offset" INTEGER NOT NULL,
    "metadata" TEXT NOT NULL,
    "tags" TEXT NOT NULL,
    "project" TEXT NOT NULL,
    "sha256" TEXT,
    "state" TEXT NOT NULL,
    "fence" INTEGER NOT NULL,
    "until" INTEGER NOT NULL,
    "file" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "error" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "expires" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
