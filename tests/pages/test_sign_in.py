"""Signing in with an OpenID Connect provider that runs here: the whole way, in a browser."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pipeline.store import Store
from profiles.tables import DOMAIN_EVENTS
from tests.screenshots import browsing, serving, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_PATIENCE_MS = 30_000
_ANA = {"sub": "4711", "email": "ana@example.org", "name": "Ana"}


def configure(folder: Path, provider: int, port: int) -> None:
    """Write what a person writes into `.streamlit/secrets.toml`."""
    lines = {
        "redirect_uri": f"http://127.0.0.1:{port}/oauth2callback",
        "cookie_secret": "not a secret, a test",
        "client_id": "promptshed",
        "client_secret": "not a secret either",
        "server_metadata_url": f"http://127.0.0.1:{provider}/.well-known/openid-configuration",
    }
    (folder / ".streamlit").mkdir()
    text = "[auth]\n" + "".join(f'{key} = "{value}"\n' for key, value in lines.items())
    (folder / ".streamlit" / "secrets.toml").write_text(text, encoding="utf-8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def providing(port: int) -> Iterator[None]:
    """Run a provider that knows one person, as a process of its own."""
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    with subprocess.Popen([*command, "--user-claims", json.dumps(_ANA)]) as provider:
        try:
            wait_for(f"http://127.0.0.1:{port}/.well-known/openid-configuration", provider)
            yield
        finally:
            provider.terminate()


def test_a_decision_carries_the_name_of_who_signed_in_with_a_provider(stages, tmp_path):
    """Nothing is seen before, and nothing after signing out."""
    store = Store(path=Path(shutil.copy(stages["published"], tmp_path / "mine.duckdb")))
    port, provider_port = free_port(), free_port()
    configure(tmp_path, provider_port, port)
    with contextlib.ExitStack() as stack:
        stack.enter_context(providing(provider_port))
        address = stack.enter_context(serving(store.path, port=port, folder=tmp_path))
        visit = stack.enter_context(browsing(theme="light", width=1400))
        page = visit.page
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(f"{address}/review")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="4711").click()
        page.get_by_test_id("stSidebar").get_by_text("ana@example.org").wait_for()
        visit.open(f"{address}/review")
        page.get_by_role("textbox", name="Name of the domain", exact=True).fill("wine")
        page.get_by_role("button", name="Approve", exact=True).first.click()
        page.get_by_text("Nothing waits").first.wait_for()
        event = store.read(DOMAIN_EVENTS).sort("event_id").row(-1, named=True)
        assert event["actor"] == "ana@example.org"
        visit.open(f"{address}/taxonomy?domain={event['domain_id']}")
        expect(page.get_by_text(re.compile("ana@example.org")).nth(1)).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="End session").click()  # the provider asks, too
        page.get_by_role("button", name="Sign in").wait_for()
        expect(page.get_by_text("wine")).to_have_count(0)
