"""The table over HTTP, from the real server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from safetensors.numpy import load

from pipeline.artefact import SCHEMA_FILE
from pipeline.flows.tables import load_model
from tests.screenshots import serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tiny_store):
    with serving(tiny_store.path) as where:
        yield f"{where}/api/routing-table"


def fetched(url, **headers):
    """Return status, headers and body of an answer."""
    answer = requests.get(url, headers=headers, timeout=30)
    return answer.status_code, answer.headers, answer.content


def test_the_current_table_and_its_tensors_are_served(address, tiny_store):
    """They are those of the store; a version gives the same as the current one."""
    status, _, body = fetched(address)
    table = json.loads(body)
    assert (status, table["table_version"]) == (200, 2)
    assert json.loads(fetched(f"{address}/2")[2]) == table
    assert json.loads(fetched(f"{address}/1")[2])["table_version"] == 1
    model = load_model(tiny_store)[1]
    for where in (address, f"{address}/2"):
        tensors = load(fetched(f"{where}/prototypes.safetensors")[2])
        assert np.array_equal(tensors["weights"], model.assigner.weights)
        assert np.array_equal(tensors["quality"], model.quality)


def test_an_unchanged_table_is_not_sent_again(address):
    """The tag of the last answer gives 304 without a body; another tag gives the table."""
    _, headers, _ = fetched(address)
    status, again, body = fetched(address, **{"If-None-Match": headers["ETag"]})
    assert (status, again["ETag"], body) == (304, headers["ETag"], b"")
    assert fetched(address, **{"If-None-Match": '"older"'})[0] == 200
    assert fetched(f"{address}/1")[1]["ETag"] != headers["ETag"]


@pytest.mark.parametrize("form", ["W/{0}", '"x",{0}', '"x", W/{0}', "*"])
def test_a_tag_is_known_in_every_form_it_may_come_back_in(address, form):
    """Proxies weaken it, and lists need no space."""
    tag = fetched(address)[1]["ETag"]
    assert fetched(address, **{"If-None-Match": form.format(tag)})[0] == 304


def test_only_the_head_can_be_asked_for(address):
    """It has the tag and the length, and no body."""
    plain = {"Accept-Encoding": "identity"}
    answer = requests.head(address, headers=plain, timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(fetched(address)[2])
    assert answer.headers["ETag"] == fetched(address)[1]["ETag"]


@pytest.mark.parametrize("path", ["/abc", "/-1", "/2/nothing", "x", "/../nothing"])
def test_any_other_address_is_404_and_no_page(address, path):
    """The dashboard's HTML with status 200 would be taken for a table."""
    status, headers, body = fetched(f"{address}{path}")
    assert (status, headers["Content-Type"]) == (404, "application/json")
    assert "schema" in json.loads(body)["error"]


def test_a_busy_store_is_503_with_when_to_ask_again(tiny_store, tmp_path):
    """Another process holds it for longer than a request waits; later the table is there."""
    path = Path(shutil.copy(tiny_store.path, tmp_path / "busy.duckdb"))
    hold = f"import duckdb, time; c = duckdb.connect({str(path)!r}); print(1, flush=True); "
    with serving(path) as where:
        command = [sys.executable, "-c", hold + "time.sleep(60)"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"1\n"
            status, headers, body = fetched(f"{where}/api/routing-table")
            holder.kill()
        assert (status, headers["Retry-After"]) == (503, "5")
        assert f"PID {holder.pid}" in json.loads(body)["error"]
        assert fetched(f"{where}/api/routing-table")[0] == 200


def test_the_schema_is_served(address):
    """Byte for byte the file that the artefact ships."""
    assert fetched(f"{address}/schema")[2] == SCHEMA_FILE.read_bytes()


def test_what_is_not_there_is_404_and_nothing_can_be_written(address):
    """The error says where to look; other methods are refused."""
    status, _, body = fetched(f"{address}/9")
    assert status == 404
    assert "promptshed table list" in json.loads(body)["error"]
    assert fetched(f"{address}/{10**30}")[0] == 404
    assert requests.post(address, json={}, timeout=30).status_code == 405


def test_without_a_table_the_next_step_is_told(tmp_path):
    """An absent store answers 404 with the command to run."""
    with serving(tmp_path / "none.duckdb") as where:
        status, _, body = fetched(f"{where}/api/routing-table")
    assert status == 404
    assert "promptshed table build --publish" in json.loads(body)["error"]
