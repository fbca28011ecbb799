-- Uploads whose bytes go from their sender to the bucket.
-- compatible: 8

ALTER TABLE "uploads" ADD COLUMN "part_size" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "uploads" ADD COLUMN "multipart" TEXT NOT NULL DEFAULT '';
