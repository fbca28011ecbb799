-- What archives were before members were deleted from them.

ALTER TABLE "files" ADD COLUMN "rewritten" INTEGER;

CREATE TABLE "file_versions" (
    "file" TEXT NOT NULL,
    "until" INTEGER NOT NULL,
    "owner" TEXT NOT NULL,
    "blob" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    "crc32" INTEGER NOT NULL,
    PRIMARY KEY ("file", "until")
) STRICT;
