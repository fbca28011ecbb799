-- Addresses to which no mails go, and how many went to an owner today.
-- compatible: 1

CREATE TABLE "mail_days" (
    "owner" TEXT COLLATE "C" NOT NULL,
    "day" BIGINT NOT NULL,
    "sent" BIGINT NOT NULL,
    PRIMARY KEY ("owner")
);

CREATE TABLE "unwanted_mails" (
    "address" TEXT COLLATE "C" NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("address")
);
