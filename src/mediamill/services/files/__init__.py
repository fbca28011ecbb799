"""Files of a caller: found, read, labelled, deleted and brought back; what is in archives."""
