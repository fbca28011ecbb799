-- Projects as datasets: subsets, splits, groups, sharing, frozen versions.
-- compatible: 1

ALTER TABLE "projects" ADD COLUMN "original_train" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "original_validation" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "original_test" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "preprocessed_unsplit" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "preprocessed_train" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "preprocessed_validation" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "preprocessed_test" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "augmented_unsplit" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "augmented_train" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "augmented_validation" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "augmented_test" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "last_version" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "projects" ADD COLUMN "settings" TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE "project_files" ADD COLUMN "subset" TEXT COLLATE "C" NOT NULL DEFAULT 'original';
ALTER TABLE "project_files" ADD COLUMN "split" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "project_files" ADD COLUMN "group" TEXT COLLATE "C" NOT NULL DEFAULT '';

CREATE INDEX "member_subset" ON "project_files" ("project", "subset", "split", "file");
CREATE INDEX "member_split" ON "project_files" ("split", "project", "file");
CREATE INDEX "member_group" ON "project_files" ("project", "group", "file");

CREATE TABLE "dataset_versions" (
    "project" TEXT COLLATE "C" NOT NULL,
    "number" BIGINT NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "request" TEXT COLLATE "C" NOT NULL,
    "job" TEXT COLLATE "C" NOT NULL,
    "task" TEXT COLLATE "C" NOT NULL,
    "hash" TEXT COLLATE "C" NOT NULL,
    "files" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "charged" BIGINT NOT NULL,
    "summary" TEXT COLLATE "C" NOT NULL,
    "lost" BIGINT NOT NULL,
    "lost_bytes" BIGINT NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "finished" BIGINT,
    "deleted" BIGINT,
    PRIMARY KEY ("project", "number")
);

CREATE TABLE "project_shares" (
    "user" TEXT COLLATE "C" NOT NULL,
    "project" TEXT COLLATE "C" NOT NULL,
    "role" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("user", "project")
);
CREATE INDEX "share_of_project" ON "project_shares" ("project", "user");

CREATE TABLE "project_tasks" (
    "project" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "request" TEXT COLLATE "C" NOT NULL,
    "done" BIGINT NOT NULL,
    "total" BIGINT NOT NULL,
    "outcome" TEXT COLLATE "C" NOT NULL,
    "code" TEXT COLLATE "C" NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    "undoes" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "finished" BIGINT,
    PRIMARY KEY ("project", "id")
);

CREATE TABLE "version_files" (
    "version" TEXT COLLATE "C" NOT NULL,
    "place" BIGINT NOT NULL,
    "root" TEXT COLLATE "C" NOT NULL,
    "blob" TEXT COLLATE "C" NOT NULL,
    "results" BIGINT NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("version", "place")
);
CREATE INDEX "version_root" ON "version_files" ("root", "version", "place");
