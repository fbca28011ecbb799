-- Files: states of background ways in, tags, the trash, and finding ready files by their bytes.

ALTER TABLE "files" ADD COLUMN "digest" TEXT;
ALTER TABLE "files" ADD COLUMN "trash" TEXT;
ALTER TABLE "files" ADD COLUMN "doomed" INTEGER;
ALTER TABLE "files" ADD COLUMN "purge_at" INTEGER;
ALTER TABLE "files" ADD COLUMN "revision" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "files" ADD COLUMN "received" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "files" ADD COLUMN "code" TEXT NOT NULL DEFAULT '';
ALTER TABLE "files" ADD COLUMN "error" TEXT NOT NULL DEFAULT '';

DROP INDEX "file_digest";
CREATE INDEX "file_digest" ON "files" ("digest", "id")
    WHERE "digest" IS NOT NULL;
CREATE INDEX "file_trashed" ON "files" ("trash", "trashed", "id")
    WHERE "trash" IS NOT NULL AND "trashed" IS NOT NULL;

-- Purge units were numbered by the time of the deletion.
UPDATE "files" SET "received" = "size";
UPDATE "files" SET "digest" = "owner" || ':' || "sha256" WHERE "state" = 'ready';
UPDATE "files" SET "trash" = "owner", "doomed" = "trashed", "purge_at" = "trashed" + 86400000
    WHERE "state" = 'trashed';

CREATE TABLE "file_tags" (
    "tagged" TEXT NOT NULL,
    "file" TEXT NOT NULL,
    PRIMARY KEY ("tagged", "file")
) STRICT;
