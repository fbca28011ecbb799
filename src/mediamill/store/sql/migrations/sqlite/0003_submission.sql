-- Where a job's inputs and steps come from; projects; templates.

ALTER TABLE "jobs" ADD COLUMN "inputs" TEXT NOT NULL DEFAULT '{}';
ALTER TABLE "jobs" ADD COLUMN "template" TEXT NOT NULL DEFAULT '';
ALTER TABLE "jobs" ADD COLUMN "template_version" INTEGER NOT NULL DEFAULT 0;

CREATE TABLE "project_files" (
    "project" TEXT NOT NULL,
    "file" TEXT NOT NULL,
    "job" TEXT,
    "added" INTEGER NOT NULL,
    PRIMARY KEY ("project", "file")
) STRICT;
CREATE INDEX "project_of_file" ON "project_files" ("file", "project");
CREATE INDEX "project_of_job" ON "project_files" ("job", "project", "file")
    WHERE "job" IS NOT NULL;
CREATE TABLE "projects" (
    "id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "listed" TEXT,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "files" INTEGER NOT NULL,
    "revision" INTEGER NOT NULL,
    "created" INTEGER NOT NULL,
    "deleted" INTEGER,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "project_listed" ON "projects" ("listed", "id")
    WHERE "listed" IS NOT NULL;
CREATE TABLE "template_names" (
    "owner" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "template" TEXT NOT NULL,
    PRIMARY KEY ("owner", "name")
) STRICT;
CREATE TABLE "template_versions" (
    "template" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "description" TEXT NOT NULL,
    "steps" TEXT NOT NULL,
    "variables" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("template", "version")
) STRICT;
CREATE TABLE "templates" (
    "id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "listed" TEXT,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "steps" TEXT NOT NULL,
    "variables" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "changed" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "template_listed" ON "templates" ("listed", "id")
    WHERE "listed" IS NOT NULL;
