-- Jobs that survey their set first, and whose results join a project.
-- compatible: 1

ALTER TABLE "jobs" ADD COLUMN "agreed" TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE "jobs" ADD COLUMN "planned" DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE "jobs" ADD COLUMN "output_project" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "jobs" ADD COLUMN "joined" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "results" ADD COLUMN "lineage" TEXT COLLATE "C" NOT NULL DEFAULT '{}';
