-- Annotations of the members of projects, what they were before, and classes.
-- compatible: 1

CREATE TABLE "annotation_books" (
    "project" TEXT COLLATE "C" NOT NULL,
    "revision" BIGINT NOT NULL,
    "content" BYTEA NOT NULL,
    "blob" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("project")
);

CREATE TABLE "annotation_history" (
    "project" TEXT COLLATE "C" NOT NULL,
    "file" TEXT COLLATE "C" NOT NULL,
    "edit" BIGINT NOT NULL,
    "content" BYTEA NOT NULL,
    "blob" TEXT COLLATE "C" NOT NULL,
    "size" BIGINT NOT NULL,
    "task" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    "changed" BIGINT NOT NULL,
    PRIMARY KEY ("project", "file", "edit")
);

CREATE TABLE "file_annotations" (
    "project" TEXT COLLATE "C" NOT NULL,
    "file" TEXT COLLATE "C" NOT NULL,
    "job" TEXT COLLATE "C",
    "revision" BIGINT NOT NULL,
    "edits" BIGINT NOT NULL,
    "kept" BIGINT NOT NULL,
    "content" BYTEA NOT NULL,
    "blob" TEXT COLLATE "C" NOT NULL,
    "size" BIGINT NOT NULL,
    "charged" BIGINT NOT NULL,
    "task" TEXT COLLATE "C" NOT NULL,
    "count" BIGINT NOT NULL,
    "classes" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    "changed" BIGINT NOT NULL,
    PRIMARY KEY ("project", "file")
);
CREATE INDEX "annotations_of_file" ON "file_annotations" ("file", "project");
CREATE INDEX "annotations_of_job" ON "file_annotations" ("job", "project", "file")
    WHERE "job" IS NOT NULL;
