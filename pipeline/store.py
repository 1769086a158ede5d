"""The one DuckDB file: the only module that opens it.

A connection lasts for one call. DuckDB locks the file for the whole process while it is open, so
heavy work must hold no connection, and a busy file is retried for a bounded time.
"""

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

import duckdb
import polars as pl

from profiles.errors import StoreError
from profiles.table import Table, conform
from profiles.tables import STORED

SCHEMA_VERSION = 1
DEFAULT_PATH = Path("data/promptshed.duckdb")
_BATCH_ROWS = 20_000

_SQL_TYPES: Mapping[pl.DataType, str] = {
    pl.String(): "VARCHAR",
    pl.Int64(): "BIGINT",
    pl.Float64(): "DOUBLE",
    pl.Float32(): "FLOAT",
    pl.Binary(): "BLOB",
    pl.List(pl.Float32): "FLOAT[]",
    pl.List(pl.String): "VARCHAR[]",
    pl.Datetime("us", "UTC"): "TIMESTAMPTZ",
}
_APPEND = "INSERT OR IGNORE INTO"
_Result = TypeVar("_Result")
_IN_PROCESS = threading.RLock()  # one process cannot hold a file read-only and read-write at once
_SHARED: dict[Path, duckdb.DuckDBPyConnection] = {}
"""Connections of `Store.reading`; who holds `_IN_PROCESS` alone looks at it."""
_CHECKED: dict[Path, tuple[int, int, int]] = {}
"""Whose tables were found to be ours last; looking takes longer than most reads."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """A DuckDB file with the tables declared in `profiles.tables`.

    The file and its folder are made by the first write. Reading a store that does not exist yet
    gives empty tables, so that every view works before the first import.
    """

    path: Path
    wait_s: float = 10.0
    """How long a busy file is retried before `StoreError`."""

    def exists(self) -> bool:
        """Tell whether anything was ever written."""
        return self.path.exists()

    def modified_ns(self) -> int:
        """Return when the file last changed, in ns since the epoch; 0 if there is none."""
        return self.path.stat().st_mtime_ns if self.path.exists() else 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let the reads inside share one connection, for opening one takes 20 ms.

        It keeps every writer out, so it is for reads that follow each other at once.
        """
        if self.path in _SHARED or not self.exists():
            yield
            return
        with self._open(read_only=True) as connection:
            _SHARED[self.path] = connection
            try:
                yield
            finally:
                del _SHARED[self.path]

    def read(self, table: Table, **equals: object) -> pl.DataFrame:
        """Return the rows whose columns have the given values (None: is null), sorted by key.

        Raises
        ------
        StoreError
            If the file is busy for longer than `wait_s`, damaged, or of a newer version.
        """
        conditions = [
            f"{name} IS NULL" if value is None else f"{name} = ${name}"
            for name, value in equals.items()
        ]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        columns = ", ".join(table.schema)
        known = {name: value for name, value in equals.items() if value is not None}
        sql = f"SELECT {columns} FROM {table.name}{where} ORDER BY {', '.join(table.key)}"
        if not self.exists():
            return table.empty()
        with self._open(read_only=True) as connection:
            return connection.sql(sql, params=known).pl().cast(table.schema)

    def read_among(self, table: Table, column: str, values: Collection[object]) -> pl.DataFrame:
        """Return the rows whose column has one of these values, sorted by key."""
        if not self.exists() or not values:
            return table.empty()
        sql = (
            f"SELECT {', '.join(table.schema)} FROM {table.name} SEMI JOIN "
            f"(SELECT unnest($wanted) AS {column}) USING ({column}) ORDER BY {', '.join(table.key)}"
        )
        return self.query(sql, {"wanted": list(values)}).cast(table.schema)

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        """Run one SELECT read-only, with `$name` parameters."""
        with self._open(read_only=True) as connection:
            return connection.sql(sql, params=dict(parameters or {})).pl()

    def batches(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> Iterator[pl.DataFrame]:
        """Run one SELECT as `query` does, a part of the rows at a time."""
        with self._open(read_only=True) as connection:
            reader = connection.sql(sql, params=dict(parameters or {})).to_arrow_reader(_BATCH_ROWS)
            for batch in reader:
                yield pl.DataFrame(batch)

    def count(self, table: Table) -> int:
        """Return how many rows a table has; 0 if there is no store."""
        if not self.exists():
            return 0
        return int(self.query(f"SELECT count(*) AS n FROM {table.name}").item())

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has, by name; all 0 if there is no store."""
        if not self.exists():
            return {table.name: 0 for table in STORED}
        each = (
            f"SELECT '{table.name}' AS name, count(*) AS n FROM {table.name}" for table in STORED
        )
        return dict(self.query(" UNION ALL ".join(each)).iter_rows())

    def schema_version(self) -> int | None:
        """Return the version of the tables in the file; None if there is no store."""
        if not self.exists():
            return None
        return int(self.query("SELECT schema_version FROM store_meta").item())

    def append(self, *results: tuple[Table, pl.DataFrame]) -> dict[str, int]:
        """Add rows in one transaction, keeping those whose key is already there.

        Raises
        ------
        StoreError
            If a number of a numbered table was taken by someone else meanwhile; then nothing of
            this call is stored.

        Returns
        -------
        dict
            For each table, how many rows were new.
        """
        return self._write(results, _APPEND)

    def replace_imports(
        self, import_ids: Collection[str], *results: tuple[Table, pl.DataFrame]
    ) -> dict[str, int]:
        """Forget what came with these imports and append, in one transaction.

        Prompts that no other import asked stay only where a run or a domain holds them.

        Returns
        -------
        dict
            For each table, how many rows were new.
        """
        return self._write(results, _APPEND, forget=import_ids)

    def upsert(self, *results: tuple[Table, pl.DataFrame]) -> dict[str, int]:
        """Add rows in one transaction, replacing those whose key is already there.

        Returns
        -------
        dict
            For each table, how many keys were new.
        """
        return self._write(results, "INSERT OR REPLACE INTO")

    def _write(
        self,
        results: tuple[tuple[Table, pl.DataFrame], ...],
        verb: str,
        *,
        forget: Collection[str] = (),
    ) -> dict[str, int]:
        conformed = [(table, conform(frame, table)) for table, frame in results]

        def insert(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
            if forget:
                _forget(connection, forget)
            return {
                table.name: _insert(connection, table, frame, verb) for table, frame in conformed
            }

        return self._transact(insert)

    def _transact(self, work: Callable[[duckdb.DuckDBPyConnection], _Result]) -> _Result:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder of {self.path} cannot be made: {error}. Name another --store."
            ) from error
        with self._open(read_only=False) as connection:
            connection.begin()
            try:
                result = work(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            return result

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        if read_only and not self.exists():
            raise StoreError(
                f"There is no store at {self.path}. Run `promptshed import FILE` or "
                "`promptshed demo`, or name another one with --store."
            )
        with _IN_PROCESS:
            shared = _SHARED.get(self.path) if read_only else None
            if shared is not None:
                yield shared
                return
            connection = self._connect(read_only=read_only)
            try:
                with _stopped_first(connection):
                    _look_once(connection, self.path, read_only=read_only)
                    yield connection
            except RuntimeError as error:
                if str(error) != "Query interrupted":  # what DuckDB makes of Ctrl-C
                    raise
                raise KeyboardInterrupt from error
            except duckdb.Error as error:
                if not _is_damage(error):
                    raise
                raise StoreError(
                    f"A part of {self.path} cannot be read or written: {_first_line(error)} Check "
                    "the disk's space; if the file is damaged, restore a copy of it, or import "
                    "again into another --store."
                ) from error
            finally:
                connection.close()

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.wait_s
        while True:
            try:
                connection = duckdb.connect(self.path, read_only=read_only)  # noqa: TID251 - the one place
            except duckdb.Error as error:
                if not _is_busy(error):
                    raise StoreError(
                        f"{self.path} cannot be opened: {_first_line(error)} If it is not a "
                        "Promptshed store, name another one with --store."
                    ) from error
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"{self.path} is busy for more than {self.wait_s:g} s: "
                        f"{_first_line(error)} Wait for that process or end it, then try again."
                    ) from error
                time.sleep(0.05)
            else:
                connection.sql("SET TimeZone = 'UTC'")
                return connection


@contextmanager
def _stopped_first(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let Ctrl-C stop the connection's query before anything else is done about it.

    Where Python's own handler raises first, DuckDB 2.0.0 may wait for ever in `CancelTasks`.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        connection.interrupt()
        before(number, frame)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _is_busy(error: duckdb.Error) -> bool:
    return "lock on file" in str(error).lower()


def _is_damage(error: duckdb.Error) -> bool:
    """Tell trouble with the file from a wrong query; a bad checksum has no class of its own."""
    known = (duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException)
    return isinstance(error, known) or type(error) is duckdb.Error


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0].rstrip(".") + "."


def _look_once(connection: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool) -> None:
    """Require our tables, of a file that is only read unless it was looked at as it is now."""
    seen = ((state := path.stat()).st_ino, state.st_mtime_ns, state.st_size)
    if not read_only or _CHECKED.get(path) != seen:
        _require_our_schema(connection, path, may_create=not read_only)
    if read_only:
        _CHECKED[path] = seen


def _require_our_schema(
    connection: duckdb.DuckDBPyConnection, path: Path, *, may_create: bool
) -> None:
    found_columns = connection.sql(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall()
    if not found_columns and may_create:
        _create(connection)
        return
    if ("store_meta", "schema_version") not in found_columns:
        raise StoreError(f"{path} is a DuckDB file but no Promptshed store. Name another --store.")
    [(found,)] = connection.sql("SELECT schema_version FROM store_meta").fetchall()
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {found}, this Promptshed knows up to {SCHEMA_VERSION}. "
            "Upgrade with `pip install -U promptshed`, or name another --store."
        )
    expected = [(table.name, column) for table in STORED for column in table.schema]
    missing = sorted({*expected} - {*found_columns})
    if missing:  # INSERT OR IGNORE would pass over a missing column without a word
        table, column = missing[0]
        raise StoreError(
            f"{path} was made by another Promptshed: its table {table} has no column {column}. "
            "Import again into another --store."
        )


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    connection.begin()
    for table in STORED:
        columns = ", ".join(f"{name} {_SQL_TYPES[kind]}" for name, kind in table.schema.items())
        connection.sql(
            f"CREATE TABLE {table.name} ({columns}, PRIMARY KEY ({', '.join(table.key)}))"
        )
    connection.sql(f"CREATE TABLE store_meta AS SELECT {SCHEMA_VERSION} AS schema_version")
    connection.commit()


def _forget(connection: duckdb.DuckDBPyConnection, import_ids: Collection[str]) -> None:
    forgotten = {"forgotten": list(import_ids)}
    of_them = "import_id IN (SELECT unnest($forgotten))"
    connection.execute(
        "DELETE FROM outcomes WHERE request_id IN "
        f"(SELECT request_id FROM requests WHERE {of_them})",
        forgotten,
    )
    for table in ("requests", "imports"):
        connection.execute(f"DELETE FROM {table} WHERE {of_them}", forgotten)
    connection.execute(
        "DELETE FROM prompts WHERE prompt_id NOT IN (SELECT prompt_id FROM requests UNION ALL "
        "SELECT prompt_id FROM members UNION ALL SELECT prompt_id FROM member_sets)"
    )


def _insert(
    connection: duckdb.DuckDBPyConnection, table: Table, frame: pl.DataFrame, verb: str
) -> int:
    count = f"SELECT count(*) FROM {table.name}"
    [(before,)] = connection.sql(count).fetchall()
    connection.register("incoming", frame)
    columns = ", ".join(table.schema)
    if table.numbered and verb == _APPEND:
        _refuse_taken_numbers(connection, table)
    connection.sql(f"{verb} {table.name} ({columns}) SELECT {columns} FROM incoming")
    connection.unregister("incoming")
    [(after,)] = connection.sql(count).fetchall()
    return after - before


def _refuse_taken_numbers(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    [(n_taken,)] = connection.sql(
        f"SELECT count(*) FROM {table.name} SEMI JOIN incoming USING ({', '.join(table.key)})"
    ).fetchall()
    if n_taken:
        raise StoreError(
            f"Someone else has changed {table.name.replace('_', ' ')} meanwhile, so nothing of "
            "yours was saved. Look at the present state and decide again."
        )
