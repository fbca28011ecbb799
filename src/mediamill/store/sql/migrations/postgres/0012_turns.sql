-- Which of the tasks of a project has its turn.
-- compatible: 1

ALTER TABLE "projects" ADD COLUMN "working" TEXT COLLATE "C";
