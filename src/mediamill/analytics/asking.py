"""Ask the table `figures` in SQL, in a database of its own in memory.

What is asked can neither write nor reach anything else: the rows are in memory before DuckDB is
told to touch no file and no network, which cannot be taken back, and it may be one `SELECT`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mediamill.analytics.exporting import TABLE
from mediamill.analytics.table import COLUMNS, DAY, NAME, Row, arrow
from mediamill.core.errors import InvalidInput
from mediamill.core.extras import needing

MEMORY = "1GB"
_SHUT = (
    "SET temp_directory = ''",  # nor does it spill: what is beyond the memory is refused
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    f"SET memory_limit = '{MEMORY}'",
    "SET lock_configuration = true",
)


class Answered:
    """What a query gives."""

    def __init__(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self.columns, self.rows = columns, rows


def ask(query: str, table: Any) -> Answered:
    """Answer a `SELECT` about a `pyarrow.Table` of figures.

    Raises `InvalidInput` for what is none, or wrong, and `ConfigurationError` without DuckDB.
    """
    with needing("analytics", "mediamill analytics"):
        import duckdb
    with duckdb.connect(":memory:") as database:
        database.register("handed", table)
        database.execute(f"CREATE TABLE {NAME} AS FROM handed")
        database.unregister("handed")
        for statement in _SHUT:
            database.execute(statement)
        try:
            statements = database.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InvalidInput("This takes one SELECT: it reads figures, and changes nothing.")
            found = database.execute(statements[0])
            names = [str(column[0]) for column in found.description or ()]
            return Answered(names, found.fetchall())
        except duckdb.Error as error:
            raise InvalidInput(str(error)) from None


def of_rows(rows: Sequence[Row]) -> Any:
    """Make the table of rows, each with its day."""
    return arrow(rows, day=True)


def of_folder(folder: Path) -> Any:
    """Read the table from exported files; raises `InvalidInput` where there are none."""
    import pyarrow as pa  # type: ignore[import-untyped]  # has no types, nor stubs
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # likewise

    files = sorted((folder / TABLE).glob(f"{DAY.name}=*/{NAME}.parquet"))
    if not files:
        raise InvalidInput(f"There are no exported figures in {folder}.")
    empty, tables = arrow([], day=True), []
    for file in files:
        read = pq.ParquetFile(file).read()
        there = {*read.column_names}  # of an old day, what was counted then
        read = read.select([one.name for one in COLUMNS if one.name in there])
        day = pa.scalar(file.parent.name.partition("=")[2]).cast(pa.date32())
        column = pa.repeat(day, read.num_rows)
        tables.append(read.add_column(0, empty.schema.field(DAY.name), column))
    return pa.concat_tables([empty.replace_schema_metadata(), *tables], promote_options="default")
