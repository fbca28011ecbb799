"""Figures as tables: exported as Parquet, defined for Athena and DuckDB, asked in SQL.

Exporting leads from figures through `table.py` to `figures-v1/day=2026-11-22/figures.parquet`, one
file a day; asking, from the service or such files to a table `figures` in DuckDB.
"""
