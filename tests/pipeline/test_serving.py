"""`promptshed app` and `promptshed doctor`."""

import json
import signal
import socket
import subprocess
import sys

import pytest

from pipeline.__main__ import main
from pipeline.commands import serving
from profiles.errors import EncoderError
from tests.screenshots import wait_for


class NamedEncoder:
    encoder_id = "words:1"


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.fixture
def _no_weights(monkeypatch):
    monkeypatch.setattr(serving, "load_encoder", lambda _name: NamedEncoder())


@pytest.mark.usefixtures("_no_weights")
def test_doctor_reports_a_healthy_store(tiny_store, capsys):
    """Versions, schema, counts, encoder, disk and the next step."""
    assert run("doctor", "--json", "--store", str(tiny_store.path)) == 0
    report = json.loads(capsys.readouterr().out)
    assert all(report["libraries"].values())
    assert report["store"]["counts"]["runs"] == 1
    assert report["store"]["schema_version"] == report["store"]["known_schema_version"]
    assert report["encoder"]["is_as_expected"]
    assert report["problems"] == []
    assert "promptshed domains approve" in report["next"]


@pytest.mark.usefixtures("_no_weights")
def test_doctor_reports_a_broken_store(tmp_path, capsys):
    """It exits 1 and says what to do first."""
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"not a database" * 1000)
    assert run("doctor", "--json", "--store", str(broken)) == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["store"]["is_healthy"]
    assert str(broken) in report["next"]


@pytest.mark.usefixtures("_no_weights")
def test_doctor_knows_a_store_that_is_not_there_yet(tmp_path, capsys):
    """No store is no problem: the next step is to fill one."""
    assert run("doctor", "--store", str(tmp_path / "deep" / "none.duckdb")) == 0
    printed = capsys.readouterr()
    assert "exists: False" in printed.out
    assert "promptshed demo" in printed.err


def test_doctor_reports_wrong_weights(tmp_path, capsys, monkeypatch):
    """An encoder that is not the expected one is a problem."""

    def wrong(_name):
        raise EncoderError("The weights have SHA-256 1, expected 2.")

    monkeypatch.setattr(serving, "load_encoder", wrong)
    assert run("doctor", "--json", "--store", str(tmp_path / "none.duckdb")) == 1
    assert json.loads(capsys.readouterr().out)["next"].startswith("The weights")


def test_a_port_in_use_is_named(tiny_store, capsys):
    """The message offers another port and no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run("app", "--store", str(tiny_store.path), "--port", str(port)) == 2
    assert f"Port {port} on 127.0.0.1 cannot be used" in capsys.readouterr().err


@pytest.mark.slow
def test_the_app_answers_on_127_0_0_1_only_and_stops_on_ctrl_c(tiny_store):
    """It gives back the terminal with exit code 0 and no traceback."""
    command = [sys.executable, "-m", "pipeline", "app", "--store", str(tiny_store.path)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [*command, "--port", str(port)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as app:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/_stcore/health", app)
        with socket.socket() as outside:
            assert outside.connect_ex(("127.0.0.2", port)) != 0
        app.send_signal(signal.SIGINT)
        out, err = app.communicate(timeout=20)
    assert app.returncode == 0
    assert address in err
    assert "Traceback" not in err + out


def test_the_app_hands_its_encoder_to_the_jobs_it_starts(tiny_store, monkeypatch):
    """They are the same verbs, which read the variable; an option still wins."""
    monkeypatch.setenv("PROMPTSHED_ENCODER", "")
    for name in ("PROMPTSHED_STORE", "PROMPTSHED_READ_ONLY"):
        monkeypatch.setenv(name, "")  # the verb sets them, too
    asked = []
    monkeypatch.setattr(serving, "load_encoder", lambda name: asked.append(name) or NamedEncoder())
    monkeypatch.setattr(serving, "_serve", lambda *_: run("doctor"))
    monkeypatch.setattr(serving, "_require_free", lambda _port: None)
    run("app", "--store", str(tiny_store.path), "--encoder", "mine")
    run("doctor", "--store", str(tiny_store.path), "--encoder", "another")
    assert asked == ["mine", "another"]
