"""What units do: one file per kind, registered in `kinds.py`, and beside it what several share.

Folders are what it is done to: items, stages of jobs, files, datasets; removing, and telling; and
what an upgrade asks for.
"""
