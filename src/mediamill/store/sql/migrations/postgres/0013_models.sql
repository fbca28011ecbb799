-- Model calls: attempts, what they cost, providers and what all share of them.
-- compatible: 1

ALTER TABLE "jobs" ADD COLUMN "budget" BIGINT;
ALTER TABLE "jobs" ADD COLUMN "chains" TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE "jobs" ADD COLUMN "batch" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "files" ADD COLUMN "rate" DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE "files" ADD COLUMN "steady" BIGINT NOT NULL DEFAULT 0;

CREATE TABLE "accounts" (
    "scope" TEXT COLLATE "C" NOT NULL,
    "month" TEXT COLLATE "C" NOT NULL,
    "taken" BIGINT NOT NULL,
    "spent" BIGINT NOT NULL,
    PRIMARY KEY ("scope", "month")
);

CREATE TABLE "attempts" (
    "of" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "number" BIGINT NOT NULL,
    "job" TEXT COLLATE "C" NOT NULL,
    "stage" BIGINT NOT NULL,
    "item" BIGINT NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "day" TEXT COLLATE "C" NOT NULL,
    "operation" TEXT COLLATE "C" NOT NULL,
    "provider" TEXT COLLATE "C" NOT NULL,
    "model" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "unit" BIGINT NOT NULL,
    "purse" BIGINT NOT NULL,
    "code" TEXT COLLATE "C" NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    "began" BIGINT NOT NULL,
    "ended" BIGINT,
    "milliseconds" BIGINT NOT NULL,
    "input_tokens" BIGINT NOT NULL,
    "output_tokens" BIGINT NOT NULL,
    "images" BIGINT NOT NULL,
    "reserved" BIGINT NOT NULL,
    "cost" BIGINT NOT NULL,
    "request" TEXT COLLATE "C" NOT NULL,
    "answer" TEXT COLLATE "C",
    PRIMARY KEY ("of", "name", "number")
);

CREATE INDEX "attempt_job" ON "attempts" ("job", "stage", "item", "name", "number", "of");

CREATE INDEX "attempt_day" ON "attempts" ("owner", "day", "began", "of", "name", "number");

CREATE TABLE "budget_notices" (
    "scope" TEXT COLLATE "C" NOT NULL,
    "month" TEXT COLLATE "C" NOT NULL,
    "most" BIGINT NOT NULL,
    "percent" BIGINT NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("scope", "month", "most", "percent")
);

CREATE TABLE "budgets" (
    "scope" TEXT COLLATE "C" NOT NULL,
    "monthly" BIGINT,
    "changed" BIGINT NOT NULL,
    "by" TEXT COLLATE "C" NOT NULL,
    "listed" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("scope")
);

CREATE INDEX "budget_all" ON "budgets" ("listed", "scope");

CREATE TABLE "chains" (
    "operation" TEXT COLLATE "C" NOT NULL,
    "providers" TEXT COLLATE "C" NOT NULL,
    "listed" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("operation")
);

CREATE INDEX "chain_all" ON "chains" ("listed", "operation");

CREATE TABLE "caption_words" (
    "term" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "caption" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "word" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("term", "created", "caption")
);
CREATE INDEX "caption_words_of" ON "caption_words" ("owner", "word", "created", "caption", "term");

CREATE TABLE "captions" (
    "id" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "listed" TEXT COLLATE "C",
    "job" TEXT COLLATE "C" NOT NULL,
    "stage" BIGINT NOT NULL,
    "item" BIGINT NOT NULL,
    "operation" TEXT COLLATE "C" NOT NULL,
    "file" TEXT COLLATE "C" NOT NULL,
    "path" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "captions" TEXT COLLATE "C" NOT NULL,
    "original" TEXT COLLATE "C",
    "labels" TEXT COLLATE "C" NOT NULL,
    "missing" TEXT COLLATE "C" NOT NULL,
    "providers" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "before" TEXT COLLATE "C" NOT NULL,
    "again" TEXT COLLATE "C" NOT NULL,
    "words" TEXT COLLATE "C" NOT NULL,
    "fresh" TEXT COLLATE "C",
    "revision" BIGINT NOT NULL,
    "created" BIGINT NOT NULL,
    "changed" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "caption_listed" ON "captions" ("listed", "created", "id")
    WHERE "listed" IS NOT NULL;
CREATE INDEX "caption_state" ON "captions" ("listed", "state", "created", "id")
    WHERE "listed" IS NOT NULL;
CREATE INDEX "caption_job" ON "captions" ("job", "stage", "item", "id");
CREATE INDEX "caption_fresh" ON "captions" ("fresh", "created", "id")
    WHERE "fresh" IS NOT NULL;

CREATE TABLE "circuits" (
    "provider" TEXT COLLATE "C" NOT NULL,
    "granted" BIGINT NOT NULL,
    "due" BIGINT NOT NULL,
    "rests_until" BIGINT NOT NULL,
    "trial_until" BIGINT NOT NULL,
    "paused_until" BIGINT NOT NULL,
    "rests" BIGINT NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("provider")
);

CREATE TABLE "permits" (
    "provider" TEXT COLLATE "C" NOT NULL,
    "holder" TEXT COLLATE "C" NOT NULL,
    "held" BIGINT NOT NULL,
    "until" BIGINT NOT NULL,
    PRIMARY KEY ("provider", "holder")
);

CREATE INDEX "permit_until" ON "permits" ("provider", "until", "holder");

CREATE TABLE "providers" (
    "name" TEXT COLLATE "C" NOT NULL,
    "address" TEXT COLLATE "C" NOT NULL,
    "base_url" TEXT COLLATE "C" NOT NULL,
    "secret" TEXT COLLATE "C" NOT NULL,
    "sealed_by" TEXT COLLATE "C",
    "region" TEXT COLLATE "C" NOT NULL,
    "concurrency" BIGINT NOT NULL,
    "per_minute" BIGINT,
    "timeout" DOUBLE PRECISION NOT NULL,
    "price" TEXT COLLATE "C",
    "options" TEXT COLLATE "C" NOT NULL,
    "revision" BIGINT NOT NULL,
    "created" BIGINT NOT NULL,
    "by" TEXT COLLATE "C" NOT NULL,
    "listed" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("name")
);

CREATE INDEX "provider_all" ON "providers" ("listed", "name");

CREATE INDEX "provider_sealed" ON "providers" ("sealed_by", "name")
    WHERE "sealed_by" IS NOT NULL;

CREATE TABLE "purses" (
    "job" TEXT COLLATE "C" NOT NULL,
    "unit" BIGINT NOT NULL,
    "fence" BIGINT NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "day" TEXT COLLATE "C" NOT NULL,
    "bounded" TEXT COLLATE "C" NOT NULL,
    "allotted" BIGINT NOT NULL,
    "created" BIGINT NOT NULL,
    "open" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("job", "unit", "fence")
);

CREATE INDEX "purse_open" ON "purses" ("open", "created", "job", "unit", "fence");

CREATE TABLE "spent" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "month" TEXT COLLATE "C" NOT NULL,
    "operation" TEXT COLLATE "C" NOT NULL,
    "provider" TEXT COLLATE "C" NOT NULL,
    "model" TEXT COLLATE "C" NOT NULL,
    "calls" BIGINT NOT NULL,
    "failed" BIGINT NOT NULL,
    "input_tokens" BIGINT NOT NULL,
    "output_tokens" BIGINT NOT NULL,
    "images" BIGINT NOT NULL,
    "cost" BIGINT NOT NULL,
    PRIMARY KEY ("owner", "month", "operation", "provider", "model")
);

CREATE INDEX "spent_month" ON "spent" ("month", "owner", "operation", "provider", "model");

CREATE TABLE "spent_days" (
    "scope" TEXT COLLATE "C" NOT NULL,
    "day" TEXT COLLATE "C" NOT NULL,
    "calls" BIGINT NOT NULL,
    "failed" BIGINT NOT NULL,
    "cost" BIGINT NOT NULL,
    PRIMARY KEY ("scope", "day")
);

CREATE TABLE "template_shares" (
    "user" TEXT COLLATE "C" NOT NULL,
    "template" TEXT COLLATE "C" NOT NULL,
    "role" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("user", "template")
);

CREATE INDEX "share_of_template" ON "template_shares" ("template", "user");

CREATE INDEX "user_role" ON "users" ("role", "id");
