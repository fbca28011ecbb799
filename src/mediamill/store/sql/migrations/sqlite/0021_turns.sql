-- Which of the tasks of a project has its turn.
-- compatible: 8

ALTER TABLE "projects" ADD COLUMN "working" TEXT;
