-- Whom issuers know our users as.
-- compatible: 1

CREATE TABLE "identities" (
    "id" TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    "issuer" TEXT COLLATE "C" NOT NULL,
    "subject" TEXT COLLATE "C" NOT NULL,
    "email" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "granted" BIGINT NOT NULL,
    "created" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "identity_user" ON "identities" ("user", "id");
