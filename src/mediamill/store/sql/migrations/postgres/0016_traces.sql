-- Traces: in which span a job was submitted, a unit made.
-- compatible: 14

ALTER TABLE "jobs" ADD COLUMN "trace" TEXT COLLATE "C";
ALTER TABLE "units" ADD COLUMN "trace" TEXT COLLATE "C";
