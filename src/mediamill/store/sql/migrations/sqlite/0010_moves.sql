-- Moves into this database that are not finished.
-- compatible: 8

CREATE TABLE "moves" (
    "id" TEXT NOT NULL,
    "progress" TEXT NOT NULL,
    "begun" INTEGER NOT NULL,
    PRIMARY KEY ("id")
) STRICT;
