-- Keys that sealed secrets.
-- compatible: 1

CREATE TABLE "sealing_keys" (
    "listed" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "begun" BIGINT NOT NULL,
    PRIMARY KEY ("listed", "id")
);
