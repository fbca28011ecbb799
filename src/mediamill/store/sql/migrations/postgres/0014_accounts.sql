-- Accounts: the audit trail.
-- compatible: 14
-- refuses: an older program would take links that are mailed for API tokens, and ask neither for
-- scopes nor for second factors; and it would leave jobs counted as open that it ends.

CREATE TABLE "audit" (
    "id" TEXT COLLATE "C" NOT NULL,
    "shelf" TEXT COLLATE "C" NOT NULL,
    "action" TEXT COLLATE "C" NOT NULL,
    "verdict" TEXT COLLATE "C" NOT NULL,
    "actor" TEXT COLLATE "C" NOT NULL,
    "about" TEXT COLLATE "C",
    "address" TEXT COLLATE "C" NOT NULL,
    "agent" TEXT COLLATE "C" NOT NULL,
    "request" TEXT COLLATE "C" NOT NULL,
    "count" BIGINT NOT NULL,
    "details" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);

CREATE INDEX "audit_all" ON "audit" ("shelf", "id");

CREATE INDEX "audit_actor" ON "audit" ("actor", "id");

CREATE INDEX "audit_about" ON "audit" ("about", "id")
    WHERE "about" IS NOT NULL;

CREATE INDEX "audit_action" ON "audit" ("action", "id");

ALTER TABLE "webhooks" ADD COLUMN "former" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "webhooks" ADD COLUMN "former_until" BIGINT;
ALTER TABLE "webhooks" ADD COLUMN "failing" BIGINT;
ALTER TABLE "webhooks" ADD COLUMN "warned" BIGINT;
ALTER TABLE "deliveries" ADD COLUMN "tries" TEXT COLLATE "C" NOT NULL DEFAULT '[]';

CREATE TABLE "workers" (
    "id" TEXT COLLATE "C" NOT NULL,
    "shelf" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "host" TEXT COLLATE "C" NOT NULL,
    "pid" BIGINT NOT NULL,
    "version" TEXT COLLATE "C" NOT NULL,
    "classes" TEXT COLLATE "C" NOT NULL,
    "stays" BIGINT NOT NULL,
    "started" BIGINT NOT NULL,
    "seen" BIGINT NOT NULL,
    "until" BIGINT NOT NULL,
    "running" BIGINT NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "drain" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);

CREATE INDEX "worker_all" ON "workers" ("shelf", "id");

-- Accounts: how users are found, what tokens may do and when they were used.
ALTER TABLE "users" ADD COLUMN "epoch" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "users" ADD COLUMN "sought" TEXT COLLATE "C";
ALTER TABLE "users" ADD COLUMN "named" TEXT COLLATE "C";
ALTER TABLE "tokens" ADD COLUMN "epoch" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "tokens" ADD COLUMN "scopes" TEXT COLLATE "C";
ALTER TABLE "tokens" ADD COLUMN "used" BIGINT;
ALTER TABLE "tokens" ADD COLUMN "agent" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "tokens" ADD COLUMN "address" TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX "user_sought" ON "users" ("role", "sought", "id")
    WHERE "sought" IS NOT NULL;
CREATE INDEX "user_named" ON "users" ("role", "named", "id")
    WHERE "named" IS NOT NULL;

CREATE TABLE "invitations" (
    "id" TEXT COLLATE "C" NOT NULL,
    "shelf" TEXT COLLATE "C" NOT NULL,
    "email" TEXT COLLATE "C" NOT NULL,
    "role" TEXT COLLATE "C" NOT NULL,
    "project" TEXT COLLATE "C",
    "share" TEXT COLLATE "C",
    "by" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "expires" BIGINT NOT NULL,
    "accepted" BIGINT,
    "user" TEXT COLLATE "C",
    PRIMARY KEY ("id")
);
CREATE INDEX "invitation_all" ON "invitations" ("shelf", "id");

CREATE TABLE "feedback" (
    "id" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "text" TEXT COLLATE "C" NOT NULL,
    "page" TEXT COLLATE "C" NOT NULL,
    "files" TEXT COLLATE "C" NOT NULL,
    "copies" BIGINT,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "feedback_state" ON "feedback" ("state", "id");
CREATE INDEX "feedback_user" ON "feedback" ("user", "id");

CREATE TABLE "feedback_days" (
    "user" TEXT COLLATE "C" NOT NULL,
    "day" BIGINT NOT NULL,
    "said" BIGINT NOT NULL,
    PRIMARY KEY ("user")
);

CREATE TABLE "factors" (
    "user" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "secret" TEXT COLLATE "C" NOT NULL,
    "sealed_by" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "since" BIGINT,
    "step" BIGINT NOT NULL,
    "recovery" TEXT COLLATE "C" NOT NULL,
    "revision" BIGINT NOT NULL,
    PRIMARY KEY ("user")
);
CREATE INDEX "factor_sealed" ON "factors" ("sealed_by", "user");

ALTER TABLE "users" ADD COLUMN "factor" BIGINT;
ALTER TABLE "tokens" ADD COLUMN "confirmed" BIGINT;

-- Accounts: verified addresses, links by mail, what was guessed wrong.
ALTER TABLE "users" ADD COLUMN "verified" BIGINT;
ALTER TABLE "users" ADD COLUMN "verify_link" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "users" ADD COLUMN "reset_link" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "tokens" ADD COLUMN "sent_to" TEXT COLLATE "C" NOT NULL DEFAULT '';

CREATE TABLE "guesses" (
    "place" TEXT COLLATE "C" NOT NULL,
    "level" DOUBLE PRECISION NOT NULL,
    "last" BIGINT NOT NULL,
    "turn" BIGINT NOT NULL,
    PRIMARY KEY ("place")
);

-- Quotas and rates: allowances, what is counted, shares of windows.

ALTER TABLE "files" ADD COLUMN "metered" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "jobs" ADD COLUMN "counted" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "jobs" ADD COLUMN "metered" TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE "jobs" ADD COLUMN "reserved" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "usage" ADD COLUMN "files" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "usage" ADD COLUMN "jobs" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "usage" ADD COLUMN "turn" BIGINT NOT NULL DEFAULT 0;

CREATE TABLE "allowances" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT,
    "files" BIGINT,
    "jobs" BIGINT,
    "items" BIGINT,
    "requests" BIGINT,
    "changed" BIGINT NOT NULL,
    "revision" BIGINT NOT NULL,
    PRIMARY KEY ("owner")
);

CREATE TABLE "quota_notices" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "quota" TEXT COLLATE "C" NOT NULL,
    "month" TEXT COLLATE "C" NOT NULL,
    "most" BIGINT NOT NULL,
    "percent" BIGINT NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("owner", "quota", "month", "most", "percent")
);

CREATE TABLE "usage_months" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "month" TEXT COLLATE "C" NOT NULL,
    "items" BIGINT NOT NULL,
    PRIMARY KEY ("owner", "month")
);

CREATE TABLE "rates" (
    "subject" TEXT COLLATE "C" NOT NULL,
    "shelf" TEXT COLLATE "C" NOT NULL,
    "window" BIGINT NOT NULL,
    "taken" BIGINT NOT NULL,
    PRIMARY KEY ("subject")
);
CREATE INDEX "rate_all" ON "rates" ("shelf", "window", "subject");

ALTER TABLE "users" ADD COLUMN "erasing" TEXT COLLATE "C";

CREATE TABLE "erasures" (
    "id" TEXT COLLATE "C" NOT NULL,
    "shelf" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C",
    "state" TEXT COLLATE "C" NOT NULL,
    "by" TEXT COLLATE "C" NOT NULL,
    "barred" BIGINT NOT NULL,
    "asked" BIGINT NOT NULL,
    "due" BIGINT NOT NULL,
    "ended" BIGINT,
    "counts" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "erasure_all" ON "erasures" ("shelf", "id");

CREATE TABLE "former_shares" (
    "user" TEXT COLLATE "C" NOT NULL,
    "record" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("user", "record")
);
CREATE INDEX "former_of" ON "former_shares" ("record", "user");

CREATE TABLE "exports" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "asked" BIGINT NOT NULL,
    "made" BIGINT,
    "expires" BIGINT,
    "layout" TEXT COLLATE "C" NOT NULL,
    "size" BIGINT NOT NULL,
    "etag" TEXT COLLATE "C" NOT NULL,
    "members" BIGINT NOT NULL,
    "error" TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY ("owner")
);

-- What failed lately, for administrators.
ALTER TABLE "jobs" ADD COLUMN "failing" TEXT COLLATE "C";
UPDATE "jobs" SET "failing" = 'failing' WHERE "state" IN ('partial', 'failed');
CREATE INDEX "job_failing" ON "jobs" ("failing", "finished", "id")
    WHERE "failing" IS NOT NULL AND "finished" IS NOT NULL;

-- Whose an account was: what outlives sessions ends with it.
ALTER TABLE "users" ADD COLUMN "tenure" BIGINT NOT NULL DEFAULT 0;

-- How long projects keep their files.
ALTER TABLE "projects" ADD COLUMN "keep" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "projects" ADD COLUMN "former" TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE "projects" ADD COLUMN "ruled" TEXT COLLATE "C";
ALTER TABLE "projects" ADD COLUMN "aging" TEXT COLLATE "C";
CREATE INDEX "project_ruled" ON "projects" ("ruled", "id")
    WHERE "ruled" IS NOT NULL;
CREATE INDEX "project_aging" ON "projects" ("aging", "id")
    WHERE "aging" IS NOT NULL;
ALTER TABLE "files" ADD COLUMN "kept" BIGINT;
ALTER TABLE "origins" ADD COLUMN "kept" BIGINT;
