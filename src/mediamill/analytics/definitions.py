"""The table `figures` as other programs define it: Athena, AWS Glue, DuckDB."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from mediamill.analytics.exporting import FIRST_DAY, TABLE
from mediamill.analytics.table import COLUMNS, DAY, NAME

_TYPES = {"text": "string", "number": "bigint"}
_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_FORMATS = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
}


def athena(url: str) -> str:
    """Write the statement that defines the table in Athena; days are found by themselves."""
    columns = ",\n".join(
        f"  `{one.name}` {_TYPES[one.kind]} COMMENT '{_quoted(_plain(one.meaning))}'"
        for one in COLUMNS
    )
    properties = ",\n".join(f"  '{name}' = '{said}'" for name, said in _projection(url).items())
    return (
        f"CREATE EXTERNAL TABLE mediamill_{NAME} (\n{columns}\n)\n"
        f"PARTITIONED BY (`{DAY.name}` string)\nSTORED AS PARQUET\n"
        f"LOCATION '{_location(url)}'\nTBLPROPERTIES (\n{properties}\n);\n"
    )


def glue(url: str) -> str:
    """Write the table as `aws glue create-table --table-input file://…` takes it."""
    return json.dumps(glue_table(url), indent=2) + "\n"


def glue_table(url: str) -> dict[str, Any]:
    """Return the `TableInput` of AWS Glue."""
    return {
        "Name": f"mediamill_{NAME}",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", **_projection(url)},
        "PartitionKeys": [{"Name": DAY.name, "Type": "string", "Comment": _plain(DAY.meaning)}],
        "StorageDescriptor": {
            "Columns": [
                {"Name": one.name, "Type": _TYPES[one.kind], "Comment": _plain(one.meaning)}
                for one in COLUMNS
            ],
            "Location": _location(url),
            **_FORMATS,
            "SerdeInfo": {"SerializationLibrary": _SERDE},
        },
    }


def duckdb(url: str) -> str:
    """Write the statement that makes a view of the files in DuckDB."""
    place = _location(url) if url.startswith("s3://") else f"{_folder(url)}/{TABLE}/"
    files = _quoted(f"{place}*/{NAME}.parquet")
    return (
        f"CREATE VIEW {NAME} AS SELECT *\n"
        f"FROM read_parquet('{files}', hive_partitioning = true, "
        f"hive_types = {{'{DAY.name}': DATE}}, union_by_name = true);\n"
    )


DIALECTS: Mapping[str, Callable[[str], str]] = {"athena": athena, "duckdb": duckdb, "glue": glue}


def _location(url: str) -> str:
    parts = urlsplit(url)
    folder = parts.path.strip("/")
    return f"s3://{parts.netloc}/{folder}/{TABLE}/" if folder else f"s3://{parts.netloc}/{TABLE}/"


def _folder(url: str) -> str:
    return (unquote(urlsplit(url).path) if url.startswith("file:") else url).rstrip("/")


def _projection(url: str) -> dict[str, str]:
    """Return what lets Athena know the partitions without being told of each."""
    return {
        "projection.enabled": "true",
        f"projection.{DAY.name}.type": "date",
        f"projection.{DAY.name}.format": "yyyy-MM-dd",
        f"projection.{DAY.name}.range": f"{FIRST_DAY},NOW",
        "storage.location.template": f"{_location(url)}{DAY.name}=${{{DAY.name}}}/",
    }


def _plain(text: str) -> str:
    return text.replace("`", "")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
