-- Accounts: the audit trail.
-- compatible: 23
-- refuses: an older program would take links that are mailed for API tokens, and ask neither for
-- scopes nor for second factors; and it would leave jobs counted as open that it ends.

CREATE TABLE "audit" (
    "id" TEXT NOT NULL,
    "shelf" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "verdict" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "about" TEXT,
    "address" TEXT NOT NULL,
    "agent" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    "details" TEXT NOT NULL,
    PRIMARY KEY ("id")
) STRICT;

CREATE INDEX "audit_all" ON "audit" ("shelf", "id");

CREATE INDEX "audit_actor" ON "audit" ("actor", "id");

CREATE INDEX "audit_about" ON "audit" ("about", "id")
    WHERE "about" IS NOT NULL;

CREATE INDEX "audit_action" ON "audit" ("action", "id");

CREATE TABLE "workers" (
    "id" TEXT NOT NULL,
    "shelf" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "host" TEXT NOT NULL,
    "pid" INTEGER NOT NULL,
    "version" TEXT NOT NULL,
    "classes" TEXT NOT NULL,
    "stays" INTEGER NOT NULL,
    "started" INTEGER NOT NULL,
    "seen" INTEGER NOT NULL,
    "until" INTEGER NOT NULL,
    "running" INTEGER NOT NULL,
    "state" TEXT NOT NULL,
    "drain" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;

CREATE INDEX "worker_all" ON "workers" ("shelf", "id");

ALTER TABLE "webhooks" ADD COLUMN "former" TEXT NOT NULL DEFAULT '';
ALTER TABLE "webhooks" ADD COLUMN "former_until" INTEGER;
ALTER TABLE "webhooks" ADD COLUMN "failing" INTEGER;
ALTER TABLE "webhooks" ADD COLUMN "warned" INTEGER;
ALTER TABLE "deliveries" ADD COLUMN "tries" TEXT NOT NULL DEFAULT '[]';

-- Accounts: how users are found, what tokens may do and when they were used.
ALTER TABLE "users" ADD COLUMN "epoch" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "users" ADD COLUMN "sought" TEXT;
ALTER TABLE "users" ADD COLUMN "named" TEXT;
ALTER TABLE "tokens" ADD COLUMN "epoch" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "tokens" ADD COLUMN "scopes" TEXT;
ALTER TABLE "tokens" ADD COLUMN "used" INTEGER;
ALTER TABLE "tokens" ADD COLUMN "agent" TEXT NOT NULL DEFAULT '';
ALTER TABLE "tokens" ADD COLUMN "address" TEXT NOT NULL DEFAULT '';
CREATE INDEX "user_sought" ON "users" ("role", "sought", "id")
    WHERE "sought" IS NOT NULL;
CREATE INDEX "user_named" ON "users" ("role", "named", "id")
    WHERE "named" IS NOT NULL;

CREATE TABLE "invitations" (
    "id" TEXT NOT NULL,
    "shelf" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "project" TEXT,
    "share" TEXT,
    "by" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "expires" INTEGER NOT NULL,
    "accepted" INTEGER,
    "user" TEXT,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "invitation_all" ON "invitations" ("shelf", "id");

CREATE TABLE "feedback" (
    "id" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "page" TEXT NOT NULL,
    "files" TEXT NOT NULL,
    "copies" INTEGER,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "feedback_state" ON "feedback" ("state", "id");
CREATE INDEX "feedback_user" ON "feedback" ("user", "id");

CREATE TABLE "feedback_days" (
    "user" TEXT NOT NULL,
    "day" INTEGER NOT NULL,
    "said" INTEGER NOT NULL,
    PRIMARY KEY ("user")
) STRICT;

CREATE TABLE "factors" (
    "user" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "sealed_by" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "since" INTEGER,
    "step" INTEGER NOT NULL,
    "recovery" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    PRIMARY KEY ("user")
) STRICT;
CREATE INDEX "factor_sealed" ON "factors" ("sealed_by", "user");

ALTER TABLE "users" ADD COLUMN "factor" INTEGER;
ALTER TABLE "tokens" ADD COLUMN "confirmed" INTEGER;

-- Accounts: verified addresses, links by mail, what was guessed wrong.
ALTER TABLE "users" ADD COLUMN "verified" INTEGER;
ALTER TABLE "users" ADD COLUMN "verify_link" TEXT NOT NULL DEFAULT '';
ALTER TABLE "users" ADD COLUMN "reset_link" TEXT NOT NULL DEFAULT '';
ALTER TABLE "tokens" ADD COLUMN "sent_to" TEXT NOT NULL DEFAULT '';

CREATE TABLE "guesses" (
    "place" TEXT NOT NULL,
    "level" REAL NOT NULL,
    "last" INTEGER NOT NULL,
    "turn" INTEGER NOT NULL,
    PRIMARY KEY ("place")
) STRICT;

-- Quotas and rates: allowances, what is counted, shares of windows.

ALTER TABLE "files" ADD COLUMN "metered" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "jobs" ADD COLUMN "counted" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "jobs" ADD COLUMN "metered" TEXT NOT NULL DEFAULT '{}';
ALTER TABLE "jobs" ADD COLUMN "reserved" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "usage" ADD COLUMN "files" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "usage" ADD COLUMN "jobs" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "usage" ADD COLUMN "turn" INTEGER NOT NULL DEFAULT 0;

CREATE TABLE "allowances" (
    "owner" TEXT NOT NULL,
    "bytes" INTEGER,
    "files" INTEGER,
    "jobs" INTEGER,
    "items" INTEGER,
    "requests" INTEGER,
    "changed" INTEGER NOT NULL,
    "revision" INTEGER NOT NULL,
    PRIMARY KEY ("owner")
) STRICT;

CREATE TABLE "quota_notices" (
    "owner" TEXT NOT NULL,
    "quota" TEXT NOT NULL,
    "month" TEXT NOT NULL,
    "most" INTEGER NOT NULL,
    "percent" INTEGER NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("owner", "quota", "month", "most", "percent")
) STRICT;

CREATE TABLE "usage_months" (
    "owner" TEXT NOT NULL,
    "month" TEXT NOT NULL,
    "items" INTEGER NOT NULL,
    PRIMARY KEY ("owner", "month")
) STRICT;

CREATE TABLE "rates" (
    "subject" TEXT NOT NULL,
    "shelf" TEXT NOT NULL,
    "window" INTEGER NOT NULL,
    "taken" INTEGER NOT NULL,
    PRIMARY KEY ("subject")
) STRICT;
CREATE INDEX "rate_all" ON "rates" ("shelf", "window", "subject");

ALTER TABLE "users" ADD COLUMN "erasing" TEXT;

CREATE TABLE "erasures" (
    "id" TEXT NOT NULL,
    "shelf" TEXT NOT NULL,
    "user" TEXT,
    "state" TEXT NOT NULL,
    "by" TEXT NOT NULL,
    "barred" INTEGER NOT NULL,
    "asked" INTEGER NOT NULL,
    "due" INTEGER NOT NULL,
    "ended" INTEGER,
    "counts" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "erasure_all" ON "erasures" ("shelf", "id");

CREATE TABLE "former_shares" (
    "user" TEXT NOT NULL,
    "record" TEXT NOT NULL,
    PRIMARY KEY ("user", "record")
) STRICT;
CREATE INDEX "former_of" ON "former_shares" ("record", "user");

CREATE TABLE "exports" (
    "owner" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "asked" INTEGER NOT NULL,
    "made" INTEGER,
    "expires" INTEGER,
    "layout" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "etag" TEXT NOT NULL,
    "members" INTEGER NOT NULL,
    "error" TEXT NOT NULL,
    PRIMARY KEY ("owner")
) STRICT;

-- What failed lately, for administrators.
ALTER TABLE "jobs" ADD COLUMN "failing" TEXT;
UPDATE "jobs" SET "failing" = 'failing' WHERE "state" IN ('partial', 'failed');
CREATE INDEX "job_failing" ON "jobs" ("failing", "finished", "id")
    WHERE "failing" IS NOT NULL AND "finished" IS NOT NULL;

-- Whose an account was: what outlives sessions ends with it.
ALTER TABLE "users" ADD COLUMN "tenure" INTEGER NOT NULL DEFAULT 0;

-- How long projects keep their files.
ALTER TABLE "projects" ADD COLUMN "keep" TEXT NOT NULL DEFAULT '';
ALTER TABLE "projects" ADD COLUMN "former" TEXT NOT NULL DEFAULT '{}';
ALTER TABLE "projects" ADD COLUMN "ruled" TEXT;
ALTER TABLE "projects" ADD COLUMN "aging" TEXT;
CREATE INDEX "project_ruled" ON "projects" ("ruled", "id")
    WHERE "ruled" IS NOT NULL;
CREATE INDEX "project_aging" ON "projects" ("aging", "id")
    WHERE "aging" IS NOT NULL;
ALTER TABLE "files" ADD COLUMN "kept" INTEGER;
ALTER TABLE "origins" ADD COLUMN "kept" INTEGER;
