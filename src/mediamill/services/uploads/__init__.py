"""Every way in: raw, resumable, by address; one validator for all."""
