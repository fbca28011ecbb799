"""Work on whole projects: a task each, run by the unit of its name, gone on with after a cut."""
