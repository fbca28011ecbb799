-- Addresses to which no mails go, and how many went to an owner today.
-- compatible: 8

CREATE TABLE "mail_days" (
    "owner" TEXT NOT NULL,
    "day" INTEGER NOT NULL,
    "sent" INTEGER NOT NULL,
    PRIMARY KEY ("owner")
) STRICT;

CREATE TABLE "unwanted_mails" (
    "address" TEXT NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("address")
) STRICT;
