-- Model calls: attempts, what they cost, providers and what all share of them.
-- compatible: 8

ALTER TABLE "jobs" ADD COLUMN "budget" INTEGER;
ALTER TABLE "jobs" ADD COLUMN "chains" TEXT NOT NULL DEFAULT '{}';
ALTER TABLE "jobs" ADD COLUMN "batch" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "files" ADD COLUMN "rate" REAL NOT NULL DEFAULT 0;
ALTER TABLE "files" ADD COLUMN "steady" INTEGER NOT NULL DEFAULT 0;

CREATE TABLE "accounts" (
    "scope" TEXT NOT NULL,
    "month" TEXT NOT NULL,
    "taken" INTEGER NOT NULL,
    "spent" INTEGER NOT NULL,
    PRIMARY KEY ("scope", "month")
) STRICT;

CREATE TABLE "attempts" (
    "of" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "job" TEXT NOT NULL,
    "stage" INTEGER NOT NULL,
    "item" INTEGER NOT NULL,
    "owner" TEXT NOT NULL,
    "day" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "unit" INTEGER NOT NULL,
    "purse" INTEGER NOT NULL,
    "code" TEXT NOT NULL,
    "error" TEXT NOT NULL,
    "began" INTEGER NOT NULL,
    "ended" INTEGER,
    "milliseconds" INTEGER NOT NULL,
    "input_tokens" INTEGER NOT NULL,
    "output_tokens" INTEGER NOT NULL,
    "images" INTEGER NOT NULL,
    "reserved" INTEGER NOT NULL,
    "cost" INTEGER NOT NULL,
    "request" TEXT NOT NULL,
    "answer" TEXT,
    PRIMARY KEY ("of", "name", "number")
) STRICT;

CREATE INDEX "attempt_job" ON "attempts" ("job", "stage", "item", "name", "number", "of");

CREATE INDEX "attempt_day" ON "attempts" ("owner", "day", "began", "of", "name", "number");

CREATE TABLE "budget_notices" (
    "scope" TEXT NOT NULL,
    "month" TEXT NOT NULL,
    "most" INTEGER NOT NULL,
    "percent" INTEGER NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("scope", "month", "most", "percent")
) STRICT;

CREATE TABLE "budgets" (
    "scope" TEXT NOT NULL,
    "monthly" INTEGER,
    "changed" INTEGER NOT NULL,
    "by" TEXT NOT NULL,
    "listed" TEXT NOT NULL,
    PRIMARY KEY ("scope")
) STRICT;

CREATE INDEX "budget_all" ON "budgets" ("listed", "scope");

CREATE TABLE "chains" (
    "operation" TEXT NOT NULL,
    "providers" TEXT NOT NULL,
    "listed" TEXT NOT NULL,
    PRIMARY KEY ("operation")
) STRICT;

CREATE INDEX "chain_all" ON "chains" ("listed", "operation");

CREATE TABLE "caption_words" (
    "term" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "caption" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "word" TEXT NOT NULL,
    PRIMARY KEY ("term", "created", "caption")
) STRICT;
CREATE INDEX "caption_words_of" ON "caption_words" ("owner", "word", "created", "caption", "term");

CREATE TABLE "captions" (
    "id" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "listed" TEXT,
    "job" TEXT NOT NULL,
    "stage" INTEGER NOT NULL,
    "item" INTEGER NOT NULL,
    "operation" TEXT NOT NULL,
    "file" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "captions" TEXT NOT NULL,
    "original" TEXT,
    "labels" TEXT NOT NULL,
    "missing" TEXT NOT NULL,
    "providers" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "before" TEXT NOT NULL,
    "again" TEXT NOT NULL,
    "words" TEXT NOT NULL,
    "fresh" TEXT,
    "revision" INTEGER NOT NULL,
    "created" INTEGER NOT NULL,
    "changed" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "caption_listed" ON "captions" ("listed", "created", "id")
    WHERE "listed" IS NOT NULL;
CREATE INDEX "caption_state" ON "captions" ("listed", "state", "created", "id")
    WHERE "listed" IS NOT NULL;
CREATE INDEX "caption_job" ON "captions" ("job", "stage", "item", "id");
CREATE INDEX "caption_fresh" ON "captions" ("fresh", "created", "id")
    WHERE "fresh" IS NOT NULL;

CREATE TABLE "circuits" (
    "provider" TEXT NOT NULL,
    "granted" INTEGER NOT NULL,
    "due" INTEGER NOT NULL,
    "rests_until" INTEGER NOT NULL,
    "trial_until" INTEGER NOT NULL,
    "paused_until" INTEGER NOT NULL,
    "rests" INTEGER NOT NULL,
    "error" TEXT NOT NULL,
    PRIMARY KEY ("provider")
) STRICT;

CREATE TABLE "permits" (
    "provider" TEXT NOT NULL,
    "holder" TEXT NOT NULL,
    "held" INTEGER NOT NULL,
    "until" INTEGER NOT NULL,
    PRIMARY KEY ("provider", "holder")
) STRICT;

CREATE INDEX "permit_until" ON "permits" ("provider", "until", "holder");

CREATE TABLE "providers" (
    "name" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "base_url" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "sealed_by" TEXT,
    "region" TEXT NOT NULL,
    "concurrency" INTEGER NOT NULL,
    "per_minute" INTEGER,
    "timeout" REAL NOT NULL,
    "price" TEXT,
    "options" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "created" INTEGER NOT NULL,
    "by" TEXT NOT NULL,
    "listed" TEXT NOT NULL,
    PRIMARY KEY ("name")
) STRICT;

CREATE INDEX "provider_all" ON "providers" ("listed", "name");

CREATE INDEX "provider_sealed" ON "providers" ("sealed_by", "name")
    WHERE "sealed_by" IS NOT NULL;

CREATE TABLE "purses" (
    "job" TEXT NOT NULL,
    "unit" INTEGER NOT NULL,
    "fence" INTEGER NOT NULL,
    "owner" TEXT NOT NULL,
    "day" TEXT NOT NULL,
    "bounded" TEXT NOT NULL,
    "allotted" INTEGER NOT NULL,
    "created" INTEGER NOT NULL,
    "open" TEXT NOT NULL,
    PRIMARY KEY ("job", "unit", "fence")
) STRICT;

CREATE INDEX "purse_open" ON "purses" ("open", "created", "job", "unit", "fence");

CREATE TABLE "spent" (
    "owner" TEXT NOT NULL,
    "month" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "calls" INTEGER NOT NULL,
    "failed" INTEGER NOT NULL,
    "input_tokens" INTEGER NOT NULL,
    "output_tokens" INTEGER NOT NULL,
    "images" INTEGER NOT NULL,
    "cost" INTEGER NOT NULL,
    PRIMARY KEY ("owner", "month", "operation", "provider", "model")
) STRICT;

CREATE INDEX "spent_month" ON "spent" ("month", "owner", "operation", "provider", "model");

CREATE TABLE "spent_days" (
    "scope" TEXT NOT NULL,
    "day" TEXT NOT NULL,
    "calls" INTEGER NOT NULL,
    "failed" INTEGER NOT NULL,
    "cost" INTEGER NOT NULL,
    PRIMARY KEY ("scope", "day")
) STRICT;

CREATE TABLE "template_shares" (
    "user" TEXT NOT NULL,
    "template" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("user", "template")
) STRICT;

CREATE INDEX "share_of_template" ON "template_shares" ("template", "user");

CREATE INDEX "user_role" ON "users" ("role", "id");
