-- Projects as datasets: subsets, splits, groups, sharing, frozen versions.
-- compatible: 8

ALTER TABLE "projects" ADD COLUMN "original_train" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "original_validation" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "original_test" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "preprocessed_unsplit" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "preprocessed_train" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "preprocessed_validation" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "preprocessed_test" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "augmented_unsplit" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "augmented_train" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "augmented_validation" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "augmented_test" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "last_version" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "settings" TEXT NOT NULL DEFAULT '{}';
ALTER TABLE "project_files" ADD COLUMN "subset" TEXT NOT NULL DEFAULT 'original';
ALTER TABLE "project_files" ADD COLUMN "split" TEXT NOT NULL DEFAULT '';
ALTER TABLE "project_files" ADD COLUMN "group" TEXT NOT NULL DEFAULT '';

CREATE INDEX "member_subset" ON "project_files" ("project", "subset", "split", "file");
CREATE INDEX "member_split" ON "project_files" ("split", "project", "file");
CREATE INDEX "member_group" ON "project_files" ("project", "group", "file");

CREATE TABLE "dataset_versions" (
    "project" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "owner" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "job" TEXT NOT NULL,
    "task" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "files" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL,
    "charged" INTEGER NOT NULL,
    "summary" TEXT NOT NULL,
    "lost" INTEGER NOT NULL,
    "lost_bytes" INTEGER NOT NULL,
    "error" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "finished" INTEGER,
    "deleted" INTEGER,
    PRIMARY KEY ("project", "number")
) STRICT;

CREATE TABLE "project_shares" (
    "user" TEXT NOT NULL,
    "project" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("user", "project")
) STRICT;
CREATE INDEX "share_of_project" ON "project_shares" ("project", "user");

CREATE TABLE "project_tasks" (
    "project" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "done" INTEGER NOT NULL,
    "total" INTEGER NOT NULL,
    "outcome" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "error" TEXT NOT NULL,
    "undoes" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "finished" INTEGER,
    PRIMARY KEY ("project", "id")
) STRICT;

CREATE TABLE "version_files" (
    "version" TEXT NOT NULL,
    "place" INTEGER NOT NULL,
    "root" TEXT NOT NULL,
    "blob" TEXT NOT NULL,
    "results" INTEGER NOT NULL,
    "size" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    PRIMARY KEY ("version", "place")
) STRICT;
CREATE INDEX "version_root" ON "version_files" ("root", "version", "place");
