-- When users want mails about their jobs, and what a job says of that itself.
-- compatible: 1

ALTER TABLE "users" ADD COLUMN "mail_finished" TEXT COLLATE "C" NOT NULL DEFAULT 'always';
ALTER TABLE "users" ADD COLUMN "mail_failed" TEXT COLLATE "C" NOT NULL DEFAULT 'always';
ALTER TABLE "jobs" ADD COLUMN "mail" BIGINT;
