"""What goes and when: retention, deletion, and what nothing names any more."""
