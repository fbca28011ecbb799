-- Jobs that survey their set first, and whose results join a project.
-- compatible: 8

ALTER TABLE "jobs" ADD COLUMN "agreed" TEXT NOT NULL DEFAULT '{}';
ALTER TABLE "jobs" ADD COLUMN "planned" REAL NOT NULL DEFAULT 0;
ALTER TABLE "jobs" ADD COLUMN "output_project" TEXT NOT NULL DEFAULT '';
ALTER TABLE "jobs" ADD COLUMN "joined" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "results" ADD COLUMN "lineage" TEXT NOT NULL DEFAULT '{}';
