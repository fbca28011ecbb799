"""A job's way: its inputs, its units, from stage to stage, to the download and the final state."""
