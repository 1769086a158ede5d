"""What a table is: a frame with declared columns and a key, and how a frame conforms to it."""

from dataclasses import dataclass

import polars as pl

from profiles.errors import SchemaError


@dataclass(frozen=True, kw_only=True)
class Table:
    """A named frame with declared columns and a unique key."""

    name: str
    schema: pl.Schema
    key: tuple[str, ...]
    """Columns whose values are never null and together name one row; rows are kept sorted by it."""
    numbered: bool = False
    """Rows are numbered in the order they were made, so a key that is taken means that someone
    else was faster, not that the row is there already."""

    def empty(self) -> pl.DataFrame:
        """Return the table without rows."""
        return pl.DataFrame(schema=self.schema)


def conform(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return `frame` with exactly the table's columns, cast, and sorted by its key.

    Raises
    ------
    SchemaError
        If a column is missing or unknown, cannot be cast, or the key is null or repeated.
    """
    missing = [name for name in table.schema if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in table.schema]
    if missing or unknown:
        raise SchemaError(f"{table.name}: missing columns {missing}, unknown columns {unknown}.")
    try:
        cast = frame.select(list(table.schema)).cast(table.schema)
    except pl.exceptions.PolarsError as error:
        raise SchemaError(f"{table.name}: a column has the wrong type: {error}") from error
    if cast.select(pl.any_horizontal(pl.col(table.key).is_null()).any()).item():
        raise SchemaError(f"{table.name}: the key {table.key} has a null.")
    if cast.select(pl.struct(table.key).is_duplicated().any()).item():
        raise SchemaError(f"{table.name}: the key {table.key} has repeated values.")
    return cast.sort(table.key)
