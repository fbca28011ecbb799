-- Whom issuers know our users as.
-- compatible: 8

CREATE TABLE "identities" (
    "id" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "granted" INTEGER NOT NULL,
    "created" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
CREATE INDEX "identity_user" ON "identities" ("user", "id");
