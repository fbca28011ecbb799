-- Keys that sealed secrets.
-- compatible: 8

CREATE TABLE "sealing_keys" (
    "listed" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "begun" INTEGER NOT NULL,
    PRIMARY KEY ("listed", "id")
) STRICT;
