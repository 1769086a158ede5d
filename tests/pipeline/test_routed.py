import polars as pl
import pytest

from pipeline.batch import route_file
from pipeline.routed import open_routed
from profiles.errors import InputFileError
from tests.pipeline.test_batch import decide

PROMPTS = ["=1+1 please", "@home or away?", "'quoted'", "-5"]


def route(tmp_path, name):
    source = tmp_path / "in.jsonl"
    pl.DataFrame({"prompt": PROMPTS}).write_ndjson(source)

    def decide_by_gateway(texts, lines=()):
        return decide(texts, lines).with_columns(model=pl.lit("@cf/meta/llama"))

    route_file(source, tmp_path / name, decide_by_gateway)
    return tmp_path / name


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_rows_are_read_as_they_were_before_the_guard(tmp_path, name):
    """Prompts and models that a spreadsheet would take for formulas have no apostrophe left."""
    with open_routed(route(tmp_path, name)) as file:
        rows = list(file.rows)
    assert [row.text for row in rows] == PROMPTS
    assert {row.model for row in rows} == {"@cf/meta/llama"}
    assert [row.row for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", ["[small", '"small"'])
def test_a_damaged_chain_is_named(tmp_path, damage):
    """The row and what was expected."""
    path = route(tmp_path, "out.csv")
    broken = path.read_text(encoding="utf-8").replace('"[""small"", ""tiny""]"', damage, 1)
    path.write_text(broken, encoding="utf-8")
    with (
        pytest.raises(InputFileError, match="row 1: fallbacks: expected a list of models as JSON"),
        open_routed(path) as file,
    ):
        list(file.rows)
