CREATE TABLE "emails" (
    "email" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("email")
);

CREATE TABLE "file_tags" (
    "tagged" TEXT COLLATE "C" NOT NULL,
    "file" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("tagged", "file")
);

CREATE TABLE "file_versions" (
    "file" TEXT COLLATE "C" NOT NULL,
    "until" BIGINT NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "blob" TEXT COLLATE "C" NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" TEXT COLLATE "C" NOT NULL,
    "crc32" BIGINT NOT NULL,
    PRIMARY KEY ("file", "until")
);

CREATE TABLE "files" (
    "id" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "listed" TEXT COLLATE "C",
    "name" TEXT COLLATE "C" NOT NULL,
    "media_type" TEXT COLLATE "C" NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" TEXT COLLATE "C" NOT NULL,
    "crc32" BIGINT NOT NULL,
    "width" BIGINT NOT NULL,
    "height" BIGINT NOT NULL,
    "duration" DOUBLE PRECISION NOT NULL,
    "source" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "blob" TEXT COLLATE "C" NOT NULL,
    "thumbnail" TEXT COLLATE "C",
    "lineage" TEXT COLLATE "C" NOT NULL,
    "tags" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "expires" BIGINT,
    "trashed" BIGINT,
    "digest" TEXT COLLATE "C",
    "trash" TEXT COLLATE "C",
    "doomed" BIGINT,
    "purge_at" BIGINT,
    "rewritten" BIGINT,
    "revision" BIGINT NOT NULL,
    "received" BIGINT NOT NULL,
    "charged" BIGINT NOT NULL,
    "code" TEXT COLLATE "C" NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "file_listed" ON "files" ("listed", "id")
    WHERE "listed" IS NOT NULL;
CREATE INDEX "file_digest" ON "files" ("digest", "id")
    WHERE "digest" IS NOT NULL;
CREATE INDEX "file_trashed" ON "files" ("trash", "trashed", "id")
    WHERE "trash" IS NOT NULL AND "trashed" IS NOT NULL;

CREATE TABLE "idempotency" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "shelf" TEXT COLLATE "C" NOT NULL,
    "fingerprint" TEXT COLLATE "C" NOT NULL,
    "first" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "attempt" BIGINT NOT NULL,
    "holder" TEXT COLLATE "C" NOT NULL,
    "until" BIGINT NOT NULL,
    "status" BIGINT NOT NULL,
    "headers" TEXT COLLATE "C" NOT NULL,
    "body" BYTEA,
    "blob" TEXT COLLATE "C",
    "digests" TEXT COLLATE "C",
    "created" BIGINT NOT NULL,
    "expires" BIGINT NOT NULL,
    PRIMARY KEY ("owner", "name")
);
CREATE INDEX "idempotency_expiry" ON "idempotency" ("shelf", "expires", "owner", "name");

CREATE TABLE "jobs" (
    "id" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "listed" TEXT COLLATE "C",
    "active" TEXT COLLATE "C",
    "open" TEXT COLLATE "C",
    "checked" BIGINT,
    "name" TEXT COLLATE "C" NOT NULL,
    "inputs" TEXT COLLATE "C" NOT NULL,
    "template" TEXT COLLATE "C" NOT NULL,
    "template_version" BIGINT NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "cancelling" BIGINT NOT NULL,
    "steps" TEXT COLLATE "C" NOT NULL,
    "klass" TEXT COLLATE "C" NOT NULL,
    "seed" BIGINT NOT NULL,
    "stage" BIGINT NOT NULL,
    "stages" BIGINT NOT NULL,
    "generation" BIGINT NOT NULL,
    "items" BIGINT NOT NULL,
    "counts" TEXT COLLATE "C" NOT NULL,
    "failed_earlier" BIGINT NOT NULL,
    "tallies" TEXT COLLATE "C" NOT NULL,
    "rerun" TEXT COLLATE "C" NOT NULL,
    "reuse" BIGINT NOT NULL,
    "expanded" BIGINT NOT NULL,
    "units" BIGINT NOT NULL,
    "watermark" BIGINT NOT NULL,
    "sealing" BIGINT NOT NULL,
    "cost" DOUBLE PRECISION NOT NULL,
    "spent" DOUBLE PRECISION NOT NULL,
    "revision" BIGINT NOT NULL,
    "layout" TEXT COLLATE "C",
    "download_size" BIGINT NOT NULL,
    "download_etag" TEXT COLLATE "C" NOT NULL,
    "charged" BIGINT NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "started" BIGINT,
    "finished" BIGINT,
    "deleted" BIGINT,
    "trash" TEXT COLLATE "C",
    PRIMARY KEY ("id")
);
CREATE INDEX "job_listed" ON "jobs" ("listed", "id")
    WHERE "listed" IS NOT NULL;
CREATE INDEX "job_open" ON "jobs" ("open", "checked", "id")
    WHERE "open" IS NOT NULL AND "checked" IS NOT NULL;
CREATE INDEX "job_active" ON "jobs" ("active", "created", "id")
    WHERE "active" IS NOT NULL;
CREATE INDEX "job_finished" ON "jobs" ("listed", "finished", "id")
    WHERE "listed" IS NOT NULL AND "finished" IS NOT NULL;
CREATE INDEX "job_trashed" ON "jobs" ("trash", "deleted", "id")
    WHERE "trash" IS NOT NULL AND "deleted" IS NOT NULL;

CREATE TABLE "lanes" (
    "klass" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "active" TEXT COLLATE "C",
    "parked" TEXT COLLATE "C",
    "wake" BIGINT,
    "vtime" DOUBLE PRECISION NOT NULL,
    "epoch" BIGINT NOT NULL,
    PRIMARY KEY ("klass", "owner")
);
CREATE INDEX "lane_active" ON "lanes" ("active", "vtime", "owner", "klass")
    WHERE "active" IS NOT NULL;
CREATE INDEX "lane_wake" ON "lanes" ("parked", "wake", "owner", "klass")
    WHERE "parked" IS NOT NULL AND "wake" IS NOT NULL;

CREATE TABLE "manifests" (
    "job" TEXT COLLATE "C" NOT NULL,
    "stage" BIGINT NOT NULL,
    "page" BIGINT NOT NULL,
    "inline" BYTEA,
    "blob" TEXT COLLATE "C",
    PRIMARY KEY ("job", "stage", "page")
);

CREATE TABLE "moves" (
    "id" TEXT COLLATE "C" NOT NULL,
    "progress" TEXT COLLATE "C" NOT NULL,
    "begun" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "project_files" (
    "project" TEXT COLLATE "C" NOT NULL,
    "file" TEXT COLLATE "C" NOT NULL,
    "job" TEXT COLLATE "C",
    "added" BIGINT NOT NULL,
    PRIMARY KEY ("project", "file")
);
CREATE INDEX "project_of_file" ON "project_files" ("file", "project");
CREATE INDEX "project_of_job" ON "project_files" ("job", "project", "file")
    WHERE "job" IS NOT NULL;

CREATE TABLE "projects" (
    "id" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "listed" TEXT COLLATE "C",
    "name" TEXT COLLATE "C" NOT NULL,
    "description" TEXT COLLATE "C" NOT NULL,
    "files" BIGINT NOT NULL,
    "revision" BIGINT NOT NULL,
    "created" BIGINT NOT NULL,
    "deleted" BIGINT,
    PRIMARY KEY ("id")
);
CREATE INDEX "project_listed" ON "projects" ("listed", "id")
    WHERE "listed" IS NOT NULL;

CREATE TABLE "results" (
    "job" TEXT COLLATE "C" NOT NULL,
    "stage" BIGINT NOT NULL,
    "item" BIGINT NOT NULL,
    "generation" BIGINT NOT NULL,
    "outcome" TEXT COLLATE "C" NOT NULL,
    "input" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "path" TEXT COLLATE "C" NOT NULL,
    "files" TEXT COLLATE "C" NOT NULL,
    "data" TEXT COLLATE "C",
    "report" TEXT COLLATE "C" NOT NULL,
    "code" TEXT COLLATE "C" NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    "retryable" BIGINT NOT NULL,
    "seconds" DOUBLE PRECISION NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("job", "stage", "item")
);
CREATE INDEX "result_outcome" ON "results" ("job", "outcome", "stage", "item");
CREATE INDEX "result_input" ON "results" ("job", "input", "stage", "item");

CREATE TABLE "reuse" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "digest" TEXT COLLATE "C" NOT NULL,
    "job" TEXT COLLATE "C" NOT NULL,
    "stage" BIGINT NOT NULL,
    "item" BIGINT NOT NULL,
    PRIMARY KEY ("owner", "digest")
);
CREATE INDEX "reuse_job" ON "reuse" ("job", "digest", "owner");

CREATE TABLE "template_names" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "template" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("owner", "name")
);

CREATE TABLE "template_versions" (
    "template" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    "description" TEXT COLLATE "C" NOT NULL,
    "steps" TEXT COLLATE "C" NOT NULL,
    "variables" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("template", "version")
);

CREATE TABLE "templates" (
    "id" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "listed" TEXT COLLATE "C",
    "name" TEXT COLLATE "C" NOT NULL,
    "description" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    "steps" TEXT COLLATE "C" NOT NULL,
    "variables" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "changed" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "template_listed" ON "templates" ("listed", "id")
    WHERE "listed" IS NOT NULL;

CREATE TABLE "tokens" (
    "digest" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "expires" BIGINT,
    PRIMARY KEY ("digest")
);
CREATE INDEX "token_user" ON "tokens" ("user", "kind", "id", "digest");

CREATE TABLE "units" (
    "group" TEXT COLLATE "C" NOT NULL,
    "seq" BIGINT NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "klass" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "queue" TEXT COLLATE "C",
    "due" BIGINT,
    "fence" BIGINT NOT NULL,
    "cost" DOUBLE PRECISION NOT NULL,
    "payload" TEXT COLLATE "C" NOT NULL,
    "done" BYTEA NOT NULL,
    "strikes" TEXT COLLATE "C" NOT NULL,
    "current" BIGINT,
    "attempts" BIGINT NOT NULL,
    "lost" BIGINT NOT NULL,
    "succeeded" BIGINT NOT NULL,
    "failed" BIGINT NOT NULL,
    "reused" BIGINT NOT NULL,
    "made" BIGINT NOT NULL,
    "progress" DOUBLE PRECISION NOT NULL,
    "started" BIGINT,
    "holder" TEXT COLLATE "C" NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "finished" BIGINT,
    PRIMARY KEY ("group", "seq")
);
CREATE INDEX "unit_due" ON "units" ("queue", "due", "group", "seq")
    WHERE "queue" IS NOT NULL AND "due" IS NOT NULL;

CREATE TABLE "upload_parts" (
    "upload" TEXT COLLATE "C" NOT NULL,
    "start" BIGINT NOT NULL,
    "size" BIGINT NOT NULL,
    "blob" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("upload", "start")
);

CREATE TABLE "uploads" (
    "id" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "size" BIGINT,
    "offset" BIGINT NOT NULL,
    "charged" BIGINT NOT NULL,
    "metadata" TEXT COLLATE "C" NOT NULL,
    "tags" TEXT COLLATE "C" NOT NULL,
    "project" TEXT COLLATE "C" NOT NULL,
    "sha256" TEXT COLLATE "C",
    "state" TEXT COLLATE "C" NOT NULL,
    "fence" BIGINT NOT NULL,
    "until" BIGINT NOT NULL,
    "file" TEXT COLLATE "C" NOT NULL,
    "code" TEXT COLLATE "C" NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    "part_size" BIGINT NOT NULL,
    "multipart" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "expires" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "usage" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT NOT NULL,
    "results" BIGINT NOT NULL,
    PRIMARY KEY ("owner")
);

CREATE TABLE "users" (
    "id" TEXT COLLATE "C" NOT NULL,
    "email" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "password" TEXT COLLATE "C" NOT NULL,
    "role" TEXT COLLATE "C" NOT NULL,
    "disabled" BIGINT NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
