-- Traces: in which span a job was submitted, a unit made.
-- compatible: 23

ALTER TABLE "jobs" ADD COLUMN "trace" TEXT;
ALTER TABLE "units" ADD COLUMN "trace" TEXT;
