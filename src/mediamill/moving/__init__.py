"""Moves of a whole installation to other stores: `mediamill migrate`.

    places ─▶ survey ─▶ rows, a transaction at a time ─▶ bytes, an object at a time ─▶ check ─▶ end
                         └────────── the journal, in the target, says how far ──────────┘

The source is only read, and no service runs on it meanwhile. What was written is read back and
compared: every record as a value, every object by its SHA-256. Until the end a mark in the target
keeps services from starting on it.
"""
