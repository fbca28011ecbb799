-- Annotations of the members of projects, what they were before, and classes.
-- compatible: 8

CREATE TABLE "annotation_books" (
    "project" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "content" BLOB NOT NULL,
    "blob" TEXT NOT NULL,
    PRIMARY KEY ("project")
) STRICT;

CREATE TABLE "annotation_history" (
    "project" TEXT NOT NULL,
    "file" TEXT NOT NULL,
    "edit" INTEGER NOT NULL,
    "content" BLOB NOT NULL,
    "blob" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "task" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "changed" INTEGER NOT NULL,
    PRIMARY KEY ("project", "file", "edit")
) STRICT;

CREATE TABLE "file_annotations" (
    "project" TEXT NOT NULL,
    "file" TEXT NOT NULL,
    "job" TEXT,
    "revision" INTEGER NOT NULL,
    "edits" INTEGER NOT NULL,
    "kept" INTEGER NOT NULL,
    "content" BLOB NOT NULL,
    "blob" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "charged" INTEGER NOT NULL,
    "task" TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    "classes" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "changed" INTEGER NOT NULL,
    PRIMARY KEY ("project", "file")
) STRICT;
CREATE INDEX "annotations_of_file" ON "file_annotations" ("file", "project");
CREATE INDEX "annotations_of_job" ON "file_annotations" ("job", "project", "file")
    WHERE "job" IS NOT NULL;
