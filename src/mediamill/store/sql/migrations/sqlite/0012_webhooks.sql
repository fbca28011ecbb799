-- Webhooks, how many an owner has, and what became of each delivery.
-- compatible: 8

CREATE TABLE "deliveries" (
    "webhook" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "status" INTEGER,
    "said" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "tried" INTEGER,
    PRIMARY KEY ("webhook", "event")
) STRICT;

CREATE TABLE "listeners" (
    "owner" TEXT NOT NULL,
    "webhooks" INTEGER NOT NULL,
    PRIMARY KEY ("owner")
) STRICT;

CREATE TABLE "webhooks" (
    "owner" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "types" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "enabled" INTEGER NOT NULL,
    "reason" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "sealed_by" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    "changed" INTEGER NOT NULL,
    "revision" INTEGER NOT NULL,
    PRIMARY KEY ("owner", "id")
) STRICT;
CREATE INDEX "webhook_sealed" ON "webhooks" ("sealed_by", "owner", "id");
