-- Webhooks, how many an owner has, and what became of each delivery.
-- compatible: 1

CREATE TABLE "deliveries" (
    "webhook" TEXT COLLATE "C" NOT NULL,
    "event" TEXT COLLATE "C" NOT NULL,
    "owner" TEXT COLLATE "C" NOT NULL,
    "type" TEXT COLLATE "C" NOT NULL,
    "body" TEXT COLLATE "C" NOT NULL,
    "state" TEXT COLLATE "C" NOT NULL,
    "attempts" BIGINT NOT NULL,
    "status" BIGINT,
    "said" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "tried" BIGINT,
    PRIMARY KEY ("webhook", "event")
);

CREATE TABLE "listeners" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "webhooks" BIGINT NOT NULL,
    PRIMARY KEY ("owner")
);

CREATE TABLE "webhooks" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "url" TEXT COLLATE "C" NOT NULL,
    "types" TEXT COLLATE "C" NOT NULL,
    "description" TEXT COLLATE "C" NOT NULL,
    "enabled" BIGINT NOT NULL,
    "reason" TEXT COLLATE "C" NOT NULL,
    "secret" TEXT COLLATE "C" NOT NULL,
    "sealed_by" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    "changed" BIGINT NOT NULL,
    "revision" BIGINT NOT NULL,
    PRIMARY KEY ("owner", "id")
);
CREATE INDEX "webhook_sealed" ON "webhooks" ("sealed_by", "owner", "id");
