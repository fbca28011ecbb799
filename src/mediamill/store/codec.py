"""Records as rows of primitives: the one translation that every store shares.

    annotation                  column    in the row
    str, StrEnum, Literal[str]  TEXT      text without NUL characters
    int                         BIGINT    −2⁶³ … 2⁶³ − 1
    bool                        BIGINT    0 or 1
    float                       DOUBLE    0, or of a magnitude of 1e-100 to 1e100
    bytes                       BLOB
    anything else               JSON      text, keys sorted, as msgspec writes it
    X | None                    the same, nullable

A value that does not fit its column is a `ValueError`, on every store alike.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, Generic, Literal

import msgspec
from msgspec import inspect

from mediamill.core.records import Index, R, Record
from mediamill.store.port import MAX_INDEXED, key_index

Primitive = str | int | float | bytes | None
ColumnType = Literal["TEXT", "BIGINT", "DOUBLE", "BLOB", "JSON"]
Encode = Callable[[Any], Primitive]
Decode = Callable[[Any], Any]

_PYTHON = {"TEXT": str, "BIGINT": int, "DOUBLE": float, "BLOB": bytes}
_JSON = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True)
class Column:
    """A field as it is stored; `decode` is None where the row holds the value itself."""

    name: str
    type: ColumnType
    nullable: bool
    number: bool
    """Whether it can be counted and compared: an int or a float, not a bool."""
    write: Encode
    decode: Decode | None
    default: Primitive = None
    """What it is in a record of an older program, which wrote nothing; None where it may be unset
    or has to be given."""

    def encode(self, value: Any) -> Primitive:
        """Translate a field's value; raises `ValueError` that names the field."""
        if value is None and self.nullable:
            return None
        try:
            return self.write(value)
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            raise ValueError(f"{self.name}: {error}") from error


@dataclass(frozen=True)
class Layout(Generic[R]):
    """A record class as a table: its columns in order, its key, its indexes."""

    kind: type[R]
    table: str
    columns: tuple[Column, ...]
    by_name: dict[str, Column]
    key: tuple[str, ...]
    indexes: tuple[Index, ...]
    """The declared ones; sort fields completed with the key, so that each names one row."""
    key_index: Index

    def encode(self, record: Record) -> tuple[Primitive, ...]:
        """Translate a record to a row."""
        return tuple([column.encode(getattr(record, column.name)) for column in self.columns])

    def decode(self, row: tuple[Primitive, ...]) -> R:
        """Translate a row, in the order of the columns, to a record."""
        fields = {
            column.name: value if value is None or column.decode is None else column.decode(value)
            for column, value in zip(self.columns, row, strict=True)
            if value is not None or column.nullable
        }
        return self.kind(**fields)

    def encode_key(self, key: tuple[Any, ...]) -> tuple[Primitive, ...]:
        """Translate a key; raises `ValueError` when it has too few or too many values."""
        return self.encode_fields(self.key, key)

    def encode_fields(
        self, names: tuple[str, ...], values: tuple[Any, ...]
    ) -> tuple[Primitive, ...]:
        """Translate the values of these fields."""
        if len(names) != len(values):
            raise ValueError(f"{self.table}: {len(values)} values for {', '.join(names)}")
        by_name = self.by_name
        return tuple([by_name[n].encode(v) for n, v in zip(names, values, strict=True)])

    def column(self, name: str) -> Column:
        """Find a column; raises `ValueError` for a field that is not declared."""
        try:
            return self.by_name[name]
        except KeyError:
            raise ValueError(f"{self.table} has no field {name}") from None

    def index(self, index: Index) -> Index:
        """Find the completed form of a declared index; raises `ValueError` for any other."""
        if index == key_index(self.kind):
            return self.key_index
        for position, declared in enumerate(self.kind.indexes):
            if declared == index:
                return self.indexes[position]
        raise ValueError(f"{self.table} declares no such index: {index}")

    def optional(self, index: Index) -> tuple[str, ...]:
        """List the fields whose being unset keeps a record out of an index."""
        names = (*index.partition, *index.sort)
        return tuple(name for name in names if self.by_name[name].nullable)


@cache
def layout_of(kind: type[R]) -> Layout[R]:
    """Derive a class's layout, once; raises `ValueError` for a declaration that cannot be kept."""
    indexed = {*kind.key.fields}.union(*((*i.partition, *i.sort) for i in kind.indexes))
    columns = tuple(_column(f, indexed=f.name in indexed) for f in msgspec.structs.fields(kind))
    by_name = {column.name: column for column in columns}
    indexes = tuple(_completed(index, kind.key.fields) for index in kind.indexes)
    layout = Layout(kind, kind.table, columns, by_name, kind.key.fields, indexes, key_index(kind))
    _check(layout)
    return layout


def python_type(column: Column) -> type:
    """Tell which Python type a column's primitives have."""
    return _PYTHON[column.type]


def encode_number(value: Any) -> int | float:
    """Check a number that counters are compared with."""
    return _float(value) if isinstance(value, float) else _int(value)


def _completed(index: Index, key: tuple[str, ...]) -> Index:
    missing = tuple(name for name in key if name not in index.partition + index.sort)
    return replace(index, sort=index.sort + missing)


def _check(layout: Layout[Any]) -> None:
    for index in (*layout.indexes, layout.key_index):
        for name in (*index.partition, *index.sort):
            if layout.column(name).type == "JSON":
                raise ValueError(f"{layout.table}.{name} is JSON, which has no order to index")
    for name in layout.key:
        if layout.column(name).nullable:
            raise ValueError(f"{layout.table}.{name} is in the key and may not be None")


# -- columns from annotations -------------------------------------------------------------------


def _column(field: msgspec.structs.FieldInfo, *, indexed: bool) -> Column:
    info = inspect.type_info(field.type)
    nullable = isinstance(info, inspect.AnyType)
    if isinstance(info, inspect.UnionType):
        rest = [member for member in info.types if not isinstance(member, inspect.NoneType)]
        nullable = len(rest) < len(info.types)
        info = rest[0] if len(rest) == 1 else info
    number = isinstance(info, inspect.IntType | inspect.FloatType)
    kind, encode, decode = _translation(info, field.type)
    if indexed and kind in ("TEXT", "BLOB"):
        encode = _bounded(encode)
    column = Column(field.name, kind, nullable, number, encode, decode)
    return (
        column if nullable or field.required else replace(column, default=_default(column, field))
    )


def _default(column: Column, field: msgspec.structs.FieldInfo) -> Primitive:
    made = field.default_factory
    return column.encode(field.default if made is msgspec.NODEFAULT else made())


def _bounded(encode: Encode) -> Encode:
    """Refuse what an index of some store could not hold."""

    def bounded(value: Any) -> Primitive:
        encoded = encode(value)
        size = len(encoded.encode() if isinstance(encoded, str) else encoded)  # type: ignore[arg-type] # TEXT and BLOB are the only ones
        if size > MAX_INDEXED:
            raise ValueError(f"{size} bytes; at most {MAX_INDEXED} can be indexed")
        return encoded

    return bounded


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError("text may not hold NUL characters")
    if not value.isascii():
        value.encode()  # refuses lone surrogates
    return str.__str__(value)


def _int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"a whole number expected, not {type(value).__name__}")
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} does not fit 64 bits")
    return int(value)


def _bool(value: Any) -> int:
    if not isinstance(value, bool):
        raise TypeError(f"true or false expected, not {type(value).__name__}")
    return int(value)


def _float(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"a number expected, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a finite number expected")
    if number and not 1e-100 <= abs(number) <= 1e100:
        raise ValueError(f"{number} is beyond what every store can hold")
    return number


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"bytes expected, not {type(value).__name__}")
    return bytes(value)


def _json(value: Any) -> str:
    return _JSON.encode(value).decode()


def _enum(cls: type[Enum]) -> Encode:
    def encode(value: Any) -> str:
        return _text(cls(value).value)

    return encode


@dataclass(frozen=True)
class Member:
    """Reads a member of an enumeration.

    A value that only a newer program knows is a member that equals none of those known here, and
    is written as it was.
    """

    cls: type[Enum]

    def __call__(self, value: str) -> Enum:
        try:
            return self.cls(value)
        except ValueError:
            return _stranger(self.cls, value)


@cache
def _stranger(cls: type[Any], value: str) -> Enum:
    member: Enum = str.__new__(cls, value)
    member._name_, member._value_ = value.upper(), value
    return member


def _literal(allowed: frozenset[Any]) -> Encode:
    def encode(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"one of {sorted(allowed)} expected, not {value!r}")
        return str.__str__(value)

    return encode


_SIMPLE: dict[type[inspect.Type], tuple[ColumnType, Encode, Decode | None]] = {
    inspect.StrType: ("TEXT", _text, None),
    inspect.IntType: ("BIGINT", _int, None),
    inspect.BoolType: ("BIGINT", _bool, bool),
    inspect.FloatType: ("DOUBLE", _float, None),
    inspect.BytesType: ("BLOB", _bytes, None),
}


def _translation(info: inspect.Type, annotation: Any) -> tuple[ColumnType, Encode, Decode | None]:
    match info:
        case inspect.EnumType(cls=cls) if issubclass(cls, str):
            return "TEXT", _enum(cls), Member(cls)
        case inspect.LiteralType(values=values) if all(isinstance(v, str) for v in values):
            return "TEXT", _literal(frozenset(values)), None
    return _SIMPLE.get(type(info)) or ("JSON", _json, msgspec.json.Decoder(annotation).decode)
