"""News of jobs and files: mail, webhooks, events, result topics."""
