-- When users want mails about their jobs, and what a job says of that itself.
-- compatible: 8

ALTER TABLE "users" ADD COLUMN "mail_finished" TEXT NOT NULL DEFAULT 'always';
ALTER TABLE "users" ADD COLUMN "mail_failed" TEXT NOT NULL DEFAULT 'always';
ALTER TABLE "jobs" ADD COLUMN "mail" INTEGER;
