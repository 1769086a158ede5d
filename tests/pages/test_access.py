"""A dashboard that only shows things, and people who sign in."""

import shutil
from types import SimpleNamespace

import pytest
import streamlit as st

from pages.ui import access, review
from pipeline.store import Store
from profiles.tables import DOMAIN_EVENTS
from tests.pages.test_app import PAGES, opened, started, visited
from tests.pages.test_review import press, typed

DECIDING = ("Approve", "Reject", "Rename", "Retire", "Import it", "Route it", "Save as a draft")


@pytest.fixture
def store(tiny_store, tmp_path):
    shutil.copy(tiny_store.path, tmp_path / "mine.duckdb")
    return Store(path=tmp_path / "mine.duckdb")


@pytest.fixture
def read_only(monkeypatch):
    monkeypatch.setenv(access.READ_ONLY, "1")


def test_a_read_only_dashboard_shows_every_page_and_no_decision(tiny_store, read_only, monkeypatch):
    """No button that writes is there, and the sidebar says why."""
    for page, app in visited(tiny_store.path, monkeypatch):
        labels = {button.label for button in app.button}
        assert not labels & set(DECIDING), page
        assert not any(label.startswith(("Undo", "Publish", "Yes")) for label in labels), page
        assert app.title[0].value == PAGES[page]
    assert "Read-only" in app.sidebar.markdown[0].value


def test_a_decision_that_comes_through_all_the_same_is_refused(store, monkeypatch):
    """A form opened before the server became read-only writes nothing."""
    n_events = store.count(DOMAIN_EVENTS)
    app = opened("inbox", store.path, monkeypatch)
    monkeypatch.setenv(access.READ_ONLY, "1")
    press(app, "Approve")
    assert store.count(DOMAIN_EVENTS) == n_events


def test_the_last_door_is_shut_too(store, read_only, monkeypatch):
    """Whatever asks for a decision is refused before anything is done."""
    told, done = [], []
    monkeypatch.setattr(st, "info", lambda text, **_: told.append(text))
    review.act("Approved", lambda: done.append(1))
    assert (told, done) == ([access.REFUSAL], [])


@pytest.fixture
def provider(monkeypatch):
    """Act as if a provider were configured; returns who is signed in."""
    user = Person(is_logged_in=False)
    monkeypatch.setattr(access, "has_sign_in", lambda: True)
    monkeypatch.setattr(st, "user", user)
    return user


class Person(SimpleNamespace):
    def get(self, key):
        return getattr(self, key, None)


def test_nobody_sees_anything_before_signing_in(tiny_store, provider, monkeypatch):
    """Only the button is there."""
    app = started(tiny_store.path, monkeypatch)
    assert [button.label for button in app.button] == ["Sign in"]
    assert not app.metric


def test_decisions_carry_the_name_of_who_signed_in(store, provider, monkeypatch):
    """Nobody can type another one."""
    provider.is_logged_in, provider.email = True, "ana@example.org"
    app = opened("inbox", store.path, monkeypatch)
    assert "Decided by" not in [field.label for field in app.text_input]
    typed(app, "Name of the domain", "wine")
    press(app, "Approve")
    assert store.read(DOMAIN_EVENTS)["actor"][-1] == "ana@example.org"


def test_without_a_provider_nobody_signs_in():
    """No secrets file is no error."""
    assert access.who() is None
