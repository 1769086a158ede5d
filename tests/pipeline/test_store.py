import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.store import SCHEMA_VERSION, Store
from profiles.errors import SchemaError, StoreError
from profiles.tables import IMPORTS, MEMBER_SETS, PROMPTS, STORED, VECTORS

VALUES = {
    pl.String(): ["a", "ü–\n🐑", "'; DROP TABLE prompts; --"],
    pl.Int64(): [1, 2, 2**62],
    pl.Float64(): [0.1, -1e300, 2.5],
    pl.Float32(): [0.5, 0.25, 1.5],
    pl.List(pl.Float32): [[0.5, 0.25], [], [1.5]],
    pl.List(pl.String): [["a", "b"], [], ["–"]],
    pl.Binary(): [b"", b"\x00\xff", b"three"],
    pl.Datetime("us", "UTC"): [datetime(2026, 1, day, 13, 7, tzinfo=UTC) for day in (1, 2, 3)],
}


@pytest.fixture
def store(tmp_path):
    return Store(path=tmp_path / "deep" / "store.duckdb", wait_s=0.3)


def prompts(*ids, text="text"):
    return pl.DataFrame([(i, text, None) for i in ids], schema=PROMPTS.schema, orient="row")


def run(store, code, *arguments):
    """Start another process on the store; it says `ready` when its code has got that far."""
    preamble = (
        "import sys, time, polars as pl\n"
        "from pathlib import Path\n"
        "from pipeline.store import Store\n"
        "from profiles.tables import PROMPTS\n"
        "store = Store(path=Path(sys.argv[1]), wait_s=20)\n"
        "def prompts(*ids):\n"
        "    rows = [(i, 'text', None) for i in ids]\n"
        "    return pl.DataFrame(rows, schema=PROMPTS.schema, orient='row')\n"
        "def ready():\n"
        "    print('ready', flush=True)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", preamble + code, str(store.path), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


HOLD = """
with store._open(read_only=False):
    ready()
    time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize("table", STORED, ids=lambda table: table.name)
def test_every_table_comes_back_as_it_was(store, table):
    """Texts, numbers, lists and times survive; a row with nulls beside its key does too."""
    frame = pl.DataFrame({name: VALUES[kind] for name, kind in table.schema.items()})
    nulls = dict.fromkeys(table.schema) | {n: VALUES[table.schema[n]][0] for n in table.key}
    nulls[table.key[-1]] = "zz" if table.schema[table.key[-1]] == pl.String else 99
    frame = pl.concat([frame.cast(table.schema), pl.DataFrame([nulls], schema=table.schema)])
    assert store.append((table, frame)) == {table.name: 4}
    assert_frame_equal(store.read(table), frame.sort(table.key))
    assert store.read(table).schema == table.schema


def test_a_store_that_is_not_there_is_empty(store):
    """Before the first write every table is empty, and nothing is made by reading."""
    assert store.read(PROMPTS).equals(PROMPTS.empty())
    assert (store.count(PROMPTS), store.modified_ns(), store.exists()) == (0, 0, False)
    assert not store.path.parent.exists()


def test_a_query_needs_a_store(store):
    """A free query of nothing names the next step."""
    with pytest.raises(StoreError, match="Run `promptshed import FILE` or `promptshed demo`"):
        store.query("SELECT 1")


def test_append_keeps_what_is_there(store):
    """New keys are counted; an old key keeps its row."""
    assert store.append((PROMPTS, prompts("a", "b"))) == {"prompts": 2}
    assert store.append((PROMPTS, prompts("b", "c", text="new"))) == {"prompts": 1}
    assert dict(store.read(PROMPTS).select("prompt_id", "text").iter_rows()) == {
        "a": "text", "b": "text", "c": "new",
    }  # fmt: skip


def test_upsert_replaces_what_is_there(store):
    """New keys are counted; an old key gets the new row."""
    store.append((PROMPTS, prompts("a", "b")))
    assert store.upsert((PROMPTS, prompts("b", "c", text="new"))) == {"prompts": 1}
    assert store.read(PROMPTS)["text"].to_list() == ["text", "new", "new"]
    assert store.count(PROMPTS) == 3


def test_nothing_may_be_appended(store):
    """Empty frames make the store and add no row."""
    assert store.append((PROMPTS, PROMPTS.empty())) == {"prompts": 0}
    assert store.exists()


def test_rows_are_read_by_value_and_in_order_of_the_key(store):
    """Equality, null and several conditions; order of writing is irrelevant."""
    rows = [("s2", "b"), ("s1", "b"), ("s1", "a")]
    frame = pl.DataFrame(rows, schema=MEMBER_SETS.schema, orient="row")
    store.append((MEMBER_SETS, frame))
    store.append((PROMPTS, prompts("a").with_columns(label=pl.lit("x"))), (PROMPTS, prompts("b")))
    assert store.read(MEMBER_SETS).rows() == sorted(rows)
    assert store.read(MEMBER_SETS, member_set_id="s1", prompt_id="b").rows() == [("s1", "b")]
    assert store.read(PROMPTS, label=None)["prompt_id"].to_list() == ["b"]
    assert store.read(PROMPTS, label="'; DROP TABLE prompts; --").is_empty()


def test_one_transaction_or_nothing(store):
    """A second frame that does not conform leaves the first unwritten."""
    store.append((PROMPTS, prompts("a")))
    bad = pl.DataFrame({"member_set_id": ["s"]})
    with pytest.raises(SchemaError, match="member_sets: missing columns"):
        store.append((PROMPTS, prompts("b")), (MEMBER_SETS, bad))
    assert store.read(PROMPTS)["prompt_id"].to_list() == ["a"]


def test_an_error_inside_rolls_back(store):
    """Work that fails after an insert leaves nothing."""
    store.append((PROMPTS, prompts("a")))

    def work(connection):
        connection.sql("INSERT INTO prompts VALUES ('b', 'text', NULL)")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._transact(work)
    assert store.read(PROMPTS)["prompt_id"].to_list() == ["a"]


def test_a_write_is_seen_by_its_time(store):
    """The file's time changes with a write, which is what views cache by."""
    store.append((PROMPTS, prompts("a")))
    before = store.modified_ns()
    time.sleep(0.02)
    store.append((PROMPTS, prompts("b")))
    assert store.modified_ns() > before > 0


def test_times_are_utc(store):
    """A session's time zone does not move times."""
    store.append((PROMPTS, prompts("a")))
    assert (
        store.query("SELECT TIMESTAMPTZ '2026-01-01 12:00:00+00' AS t")["t"].dt.hour().item() == 12
    )


def test_a_busy_store_is_retried_then_the_holder_is_named(store):
    """While another process writes: an error with its pid after the wait; then all is well."""
    store.append((PROMPTS, prompts("a")))
    with run(store, HOLD, "60") as holder:
        assert holder.stdout.readline() == "ready\n"
        started = time.monotonic()
        with pytest.raises(StoreError, match=rf"busy for more than 0.3 s.*PID {holder.pid}.*again"):
            store.read(PROMPTS)
        assert time.monotonic() - started >= 0.3
        holder.kill()
    assert store.read(PROMPTS)["prompt_id"].to_list() == ["a"]


def test_a_busy_store_is_waited_for(store):
    """A holder that ends within the wait is not noticed."""
    store.append((PROMPTS, prompts("a")))
    with run(store, HOLD, "0.5") as holder:
        assert holder.stdout.readline() == "ready\n"
        patient = Store(path=store.path, wait_s=20)
        assert patient.append((PROMPTS, prompts("b"))) == {"prompts": 1}


def test_two_processes_writing_at_once_lose_nothing(store):
    """Each of 2 x 8 appends arrives."""
    code = "for k in range(8):\n    store.append((PROMPTS, prompts(f'{sys.argv[2]}{k}')))"
    writers = [run(store, code, name) for name in ("x", "y")]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    assert store.read(PROMPTS)["prompt_id"].to_list() == [f"{n}{k}" for n in "xy" for k in range(8)]


def test_threads_reading_and_writing_lose_nothing(store):
    """One process may read while it writes, from any thread."""
    store.append((PROMPTS, prompts("a")))
    threads = [
        threading.Thread(target=store.append, args=((PROMPTS, prompts(f"t{k}")),)) for k in range(4)
    ] + [threading.Thread(target=store.read, args=(PROMPTS,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count(PROMPTS) == 5


def test_kill_in_the_middle_of_an_append_leaves_the_old_state(store):
    """After kill -9 inside a transaction the rows before it are there, and none of it."""
    store.append((PROMPTS, prompts("a")))
    code = """
def work(connection):
    connection.sql("INSERT INTO prompts SELECT 'n' || i, 'text', NULL FROM range(200000) r(i)")
    ready()
    time.sleep(60)
store._transact(work)
"""
    with run(store, code) as writer:
        assert writer.stdout.readline() == "ready\n"
        os.kill(writer.pid, signal.SIGKILL)
    assert store.read(PROMPTS)["prompt_id"].to_list() == ["a"]
    assert store.append((PROMPTS, prompts("b"))) == {"prompts": 1}


@pytest.mark.parametrize("name", ["store.duckdb", "block.duckdb", "locked.duckdb"])
def test_a_file_that_is_no_database_is_refused_at_once(tmp_path, name):
    """Whatever its name, garbage is not taken for a busy store."""
    path = tmp_path / name
    path.write_bytes(b"prompt,model\n" * 1_000)
    with pytest.raises(StoreError, match=r"cannot be opened.*name another one with --store"):
        Store(path=path, wait_s=3).read(PROMPTS)
    assert path.read_bytes().startswith(b"prompt")


def test_the_database_of_someone_else_is_refused(tmp_path):
    """Reading and writing leave it as it was."""
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(path) as connection:  # noqa: TID251 - not our store
        connection.sql("CREATE TABLE invoices AS SELECT 1 AS n")
    theirs = Store(path=path)
    with pytest.raises(StoreError, match="a DuckDB file but no Promptshed store"):
        theirs.read(PROMPTS)
    with pytest.raises(StoreError, match="Name another --store"):
        theirs.append((PROMPTS, prompts("a")))
    with duckdb.connect(path, read_only=True) as connection:  # noqa: TID251 - not our store
        assert connection.sql("SELECT table_name FROM duckdb_tables()").fetchall() == [
            ("invoices",)
        ]


def test_a_newer_store_is_refused(store):
    """The error says which version it is, which ones are known, and how to upgrade."""
    store.append((PROMPTS, prompts("a")))
    with duckdb.connect(store.path) as connection:  # noqa: TID251 - a store of tomorrow
        connection.sql("UPDATE store_meta SET schema_version = schema_version + 1")
    message = f"schema version {SCHEMA_VERSION + 1}, this Promptshed knows up to {SCHEMA_VERSION}"
    with pytest.raises(StoreError, match=f"{message}.*pip install -U promptshed"):
        store.read(PROMPTS)
    with pytest.raises(StoreError, match=message):
        store.append((PROMPTS, prompts("b")))


def test_a_store_without_our_columns_is_refused(store):
    """A file with our tables but other columns is named, reading and writing."""
    store.append((PROMPTS, prompts("a")))
    with duckdb.connect(store.path) as connection:  # noqa: TID251 - a store of another day
        connection.sql("ALTER TABLE prompts DROP COLUMN label")
    for touch in (lambda: store.read(PROMPTS), lambda: store.append((PROMPTS, prompts("b")))):
        with pytest.raises(StoreError, match=r"prompts has no column label.*--store"):
            touch()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    """Where a file stands in the place of the folder, the error names the path and the option."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file.*--store"):
        Store(path=tmp_path / "file" / "store.duckdb").append((PROMPTS, prompts("a")))


def test_float32_lists_survive_exactly(store):
    """Vectors come back bit for bit."""
    vector = [0.1, 1 / 3, 1e-30, -0.0]
    frame = pl.DataFrame(
        {"encoder_id": ["e"], "prompt_id": ["p"], "vector": [vector]}, schema=VECTORS.schema
    )
    store.append((VECTORS, frame))
    assert store.read(VECTORS)["vector"][0].to_list() == frame["vector"][0].to_list()


_LONG_QUERY = """
from pathlib import Path
from pipeline.store import Store
store = Store(path=Path("store.duckdb"))
print("asking", flush=True)
store.query("SELECT sum(hash(a.range + b.range)) FROM range(1000000) a, range(1000000) b")
"""


@pytest.mark.parametrize("attempt", range(3))
def test_an_interrupt_inside_a_query_is_an_interrupt(tmp_path, attempt):
    """DuckDB takes the signal itself; it must neither look like an error nor wait for ever.

    Left to itself DuckDB 2.0.0 hung in more than half of the attempts on a busy machine.
    """
    Store(path=tmp_path / "store.duckdb").append((IMPORTS, IMPORTS.empty()))
    command = [sys.executable, "-c", _LONG_QUERY]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            said = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert said.splitlines()[-1] == "KeyboardInterrupt"


def test_after_a_query_an_interrupt_is_what_it_was(tmp_path):
    """The store puts back the handler it found, also after an error."""
    store = Store(path=tmp_path / "store.duckdb")
    before = signal.getsignal(signal.SIGINT)
    store.append((IMPORTS, IMPORTS.empty()))
    with pytest.raises(duckdb.Error):
        store.query("SELECT nothing")
    assert signal.getsignal(signal.SIGINT) is before


def test_what_duckdb_makes_of_an_interrupt_is_an_interrupt(tmp_path):
    """Its RuntimeError becomes the KeyboardInterrupt it stands for; any other stays what it is."""
    store = Store(path=tmp_path / "store.duckdb")
    store.append((IMPORTS, IMPORTS.empty()))
    for said, error in (("Query interrupted", KeyboardInterrupt), ("else", RuntimeError)):
        with pytest.raises(error), store._open(read_only=True):
            raise RuntimeError(said)


def test_another_file_in_the_place_of_a_store_is_looked_at_again(tmp_path):
    """What was found of the first one does not hold for it."""
    store, other = Store(path=tmp_path / "a.duckdb"), tmp_path / "b.duckdb"
    store.append((PROMPTS, PROMPTS.empty()))
    assert store.count(PROMPTS) == 0
    duckdb.connect(other).close()  # noqa: TID251 - a file that is not ours
    other.replace(store.path)
    with pytest.raises(StoreError, match="no Promptshed store"):
        store.count(PROMPTS)
