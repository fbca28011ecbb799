"""SQLite: one file, for one machine; nothing else to install."""
