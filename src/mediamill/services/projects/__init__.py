"""Projects as their owner, and those they share them with, see them: sets of files that train."""
