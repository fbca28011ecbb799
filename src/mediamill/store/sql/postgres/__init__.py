"""PostgreSQL: for several machines, and for more than one of them can do."""
