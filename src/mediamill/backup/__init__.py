"""Backups of a whole installation: `mediamill backup`, `restore`, and the unit that makes them.

    take:     rows ─▶ objects that are not there yet ─▶ lists ─▶ all read back ─▶ the snapshot
    restore:  snapshot ─▶ objects ─▶ keys ─▶ rows, last

The place of a backup is a place for bytes (`blobs/`), laid out as

    objects/ab/abcd…            content by its SHA-256: an object, a block of the database, a list
    snapshots/20261122T…Z-7f3a  JSON of `manifest.py`, written last: what has one is whole
    working                     who writes here now, and until when that is believed

Content is there once, however many snapshots name it, so the next one costs what is new. What no
snapshot names is removed with the next snapshot that is dropped.
"""
