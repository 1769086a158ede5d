"""What people do in a browser, from the click to the store: one server, one browser, one store."""

import contextlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from pipeline.certificate import certificate_sentence
from pipeline.config import Policy
from pipeline.encoders import DEFAULT_ENCODER, load_encoder
from pipeline.flows.curation import undo_decision
from pipeline.flows.proposals import read_proposals
from pipeline.flows.tables import build_table, publish_table
from pipeline.jobs import recorded
from pipeline.store import Store
from pipeline.taxonomy import domains_now
from profiles.tables import DOMAIN_EVENTS, PROMPTS, ROUTING_TABLES
from tests.conftest import N_WAITING, WAITING_TOPIC
from tests.screenshots import CHROMIUM, FLAGS, Visit, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.model]
_PATIENCE_MS = 100_000  # a job loads its encoder first, on a machine that may be busy
_N_CLICKS = 40
_N_ROWS = 6_000  # some seconds of routing: long enough to be cancelled in between


@pytest.fixture(scope="module")
def store(stages, tmp_path_factory) -> Store:
    """Return a store with a run, three domains and a table of the encoder that jobs load."""
    path = tmp_path_factory.mktemp("flows") / "flows.duckdb"
    store = Store(path=Path(shutil.copy(stages["profiled"], path)), wait_s=20)
    policy = Policy(quality_value_usd=0.5, router="table")
    publish_table(store, build_table(store, load_encoder(DEFAULT_ENCODER), policy))
    return store


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(store):
    with serving(store.path) as where:
        yield where


@pytest.fixture
def visiting(browser, address):
    """Return a function that opens a page of the app as another person would."""
    with contextlib.ExitStack() as stack:

        def visit(path: str) -> Page:
            context = browser.new_context(viewport={"width": 1400, "height": 1000})
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(_PATIENCE_MS)
            Visit(page).open(f"{address}/{path}")
            return page

        yield visit


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def field(page: Page, name: str):
    return page.get_by_role("textbox", name=name, exact=True)


def shows(page: Page, what: str | re.Pattern[str]) -> None:
    expect(page.get_by_text(what).first).to_be_visible(timeout=_PATIENCE_MS)


def name_of(store: Store, domain_id: str) -> str:
    return domains_now(store.read(DOMAIN_EVENTS)).filter(domain_id=domain_id)["name"].item()


def domain_called(store: Store, name: str) -> str:
    return domains_now(store.read(DOMAIN_EVENTS)).filter(name=name)["domain_id"].item()


def edit(page: Page) -> None:
    page.get_by_text("Rename, merge, split or retire").click()


def test_a_rename_is_taken_back(store, visiting):
    """One button does either; the address keeps the domain."""
    domain_id = domain_called(store, "translate a letter")
    page = visiting(f"taxonomy?domain={domain_id}")
    edit(page)
    field(page, "Name").fill("letters")
    press(page, "Rename")
    page.get_by_role("heading", name="letters").wait_for()
    assert name_of(store, domain_id) == "letters"
    page.get_by_role("button", name=re.compile("^Undo")).click()
    page.get_by_role("heading", name="translate a letter").wait_for()
    assert name_of(store, domain_id) == "translate a letter"
    assert domain_id in page.url


def test_of_two_people_the_second_is_told_and_loses_nothing(store, visiting):
    """The first name stands; what the second one typed is still in the field."""
    domain_id = domain_called(store, "fix my python code")
    pages = [visiting(f"taxonomy?domain={domain_id}") for _ in range(2)]
    for page in pages:
        edit(page)
    for page, wanted in zip(pages, ("python, says ana", "python, says bo"), strict=True):
        field(page, "Name").fill(wanted)
        press(page, "Rename")
        if page is pages[0]:
            page.get_by_role("heading", name="python, says ana").wait_for()
    second = pages[1]
    shows(second, "was quicker")
    assert name_of(store, domain_id) == "python, says ana"
    expect(field(second, "Name")).to_have_value("python, says bo")
    press(second, "Rename")
    second.get_by_role("heading", name="python, says bo").wait_for()
    assert name_of(store, domain_id) == "python, says bo"


def test_a_lasso_becomes_a_domain(store, visiting):
    """Every prompt inside belongs to it, and its cluster waits no more."""
    page = visiting("map")
    plot = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    left, right = plot["x"] + 0.85 * plot["width"], plot["x"] + 0.995 * plot["width"]
    top, bottom = plot["y"] + 0.3 * plot["height"], plot["y"] + plot["height"] - 2
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    shows(page, f"{N_WAITING} prompts selected")
    page.get_by_text(f"Make a domain of these {N_WAITING} prompts").click()
    field(page, "Name of the domain").fill("wines of the map")
    press(page, "Approve it")
    page.locator(".legendtext", has_text=f"wines of the map ({N_WAITING})").wait_for()
    assert domain_called(store, "wines of the map")
    assert read_proposals(store).filter(status="waiting").is_empty()
    undo_decision(store, actor="ana")  # the next test may be about the same cluster


def test_a_cluster_is_approved_from_the_inbox(store, visiting):
    """What it changes stays in sight, and the undo brings the card back."""
    page = visiting("review")
    page.get_by_text("wine", exact=True).click()  # a name on offer
    expect(field(page, "Name of the domain")).to_have_value("wine")
    press(page, "Approve")
    shows(page, "Nothing waits")
    shows(page, re.compile("Approved:.? wine; "))  # a mark after the colon stops shortcodes
    assert domains_now(store.read(DOMAIN_EVENTS)).filter(name="wine").height == 1
    page.get_by_role("button", name=re.compile("^Undo")).click()
    shows(page, WAITING_TOPIC)


def test_a_policy_is_tried_saved_and_published(store, visiting):
    """The slider moves, a draft is built and compared, and a second question publishes it."""
    page = visiting("routing?view=Try+a+policy")
    slider = page.get_by_role("slider", name=re.compile("One more point"))
    slider.focus()
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    Visit(page).settle()  # the slider tells the page a moment later
    Visit(page).settle()
    shows(page, "This policy")
    version = int(store.read(ROUTING_TABLES)["table_version"].max()) + 1
    press(page, "Save as a draft")
    page.get_by_text(re.compile(rf"^Draft {version}\b")).first.wait_for()
    shows(page, "It chooses differently in")
    page.get_by_role("button", name=re.compile(f"Publish table {version}")).click()
    press(page, "Yes, publish it")
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_text(f"version {version} ·").wait_for()
    row = store.read(ROUTING_TABLES, table_version=version).row(0, named=True)
    assert row["published_at"] is not None
    assert row["quality_value_usd"] < 0.5


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=re.compile(rf"\b{re.escape(label)}$")).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def test_columns_of_a_file_are_chosen_and_imported(store, visiting, tmp_path):
    """Nothing is typed: two boxes are changed, and the command says what was chosen."""
    rows = [{"question": "Where is it?", "query": "a new question of a file", "who": "small/two"}]
    path = tmp_path / "odd.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page = visiting("data-and-runs")
    page.locator("input[type=file]").first.set_input_files(path)
    shows(page, "Choose the column with the prompt.")
    choose(page, "Prompt", "query")
    choose(page, "Model", "who")
    Visit(page).settle()
    press(page, "Import it")
    shows(page, re.compile("new: 1 prompts"))
    page.get_by_text("As a command").first.click()
    shows(page, "prompt=query,model=who")
    assert store.read(PROMPTS).filter(text="a new question of a file").height == 1


def upload(page: Page, path: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(path)
    page.get_by_text(re.compile("^The first")).wait_for()


def test_a_file_is_routed_and_downloaded(visiting, tmp_path):
    """It comes back with its rows in their order and a model in each."""
    asked = [{"id": n, "question": f"translate a letter {n}"} for n in range(7)]
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
    page = visiting("batch-routing")
    upload(page, path)
    press(page, "Route it")
    button = page.get_by_role("button", name="Download asked.jsonl")
    button.wait_for()
    Visit(page).settle()  # a run that comes meanwhile gives the button another file
    with page.expect_download() as download:
        button.click()
    rows = pl.read_ndjson(download.value.path())
    assert rows["question"].to_list() == [row["question"] for row in asked]
    assert rows["model"].null_count() == 0
    page.get_by_text("First rows with their receipts").first.click()
    expect(page.get_by_text("Expected cost", exact=True).first).to_be_visible()


def test_no_click_on_a_download_is_refused(store, visiting, tmp_path):
    """Not even while another job runs, whose progress is drawn every second."""
    page = visiting("batch-routing")
    routed(page, tmp_path, 3)
    button = page.get_by_role("button", name="Download few-").first
    with recorded(store.path, ["route", "other.csv"]) as end:
        Visit(page).open(page.url)
        shows(page, re.compile("running$"))
        for _ in range(_N_CLICKS):  # the browser itself saves ten files in a row at most
            button.click()
        page.wait_for_timeout(500)
        refusals = page.get_by_test_id("stDownloadButtonError")
        assert refusals.count() == 0, refusals.all_inner_texts()
        end(0)


def test_a_job_is_cancelled_and_goes_on(store, visiting, tmp_path):
    """After the first part it is stopped; Resume adds only the rest, and every row is there."""
    path = tmp_path / "long.csv"
    lines = (f"sum two numbers {n} and {n + 1}\n" for n in range(_N_ROWS))
    path.write_text("prompt\n" + "".join(lines), encoding="utf-8")
    page = visiting("batch-routing")
    field(page, "Or a path on this machine").fill(str(path))
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("^The first")).wait_for()
    press(page, "Route it")
    page.get_by_text(re.compile(r"route: \d+,000")).first.wait_for()
    press(page, "Cancel")
    shows(page, "cancelled")
    press(page, "Resume")
    button = page.get_by_role("button", name="Download long.jsonl").first
    button.wait_for()
    Visit(page).settle()
    with page.expect_download() as download:
        button.click()
    assert len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) == _N_ROWS
    logs = store.path.with_name(f"{store.path.name}.jobs").glob("*.log")
    assert any("Going on after" in log.read_text(encoding="utf-8") for log in logs)


def routed(page: Page, folder: Path, n_rows: int) -> None:
    """Route a small file on the page, and wait for it."""
    path = folder / f"few-{folder.name}.jsonl"
    rows = [{"question": f"translate a letter {n}"} for n in range(n_rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    upload(page, path)
    press(page, "Route it")
    page.get_by_role("button", name=f"Download {path.name}").wait_for()


def answered(archive: Path) -> list[dict[str, object]]:
    """Return a provider's results to the OpenAI batch files of an archive."""
    body = {
        "choices": [{"message": {"content": "Dear Sir"}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }
    with zipfile.ZipFile(archive) as files:
        lines = [
            json.loads(line)
            for name in files.namelist()
            if name.endswith(".jsonl")
            for line in files.read(name).decode("utf-8").splitlines()
        ]
    return [
        {"custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}}
        for line in lines
        if "custom_id" in line
    ]


def test_batch_files_are_written_and_their_results_come_back(visiting, tmp_path):
    """Both forms, from a routed file to the answers of a provider."""
    page = visiting("batch-routing")
    routed(page, tmp_path, 5)
    page.get_by_text("Batch files", exact=True).click()
    press(page, "Write batch files")
    button = page.get_by_role("button", name=re.compile(r"^Download \d+ files? as one")).first
    button.wait_for()
    Visit(page).settle()  # a run that comes meanwhile gives the button another file
    with page.expect_download() as download:
        button.click()
    results = tmp_path / "results.jsonl"
    lines = [json.dumps(result) + "\n" for result in answered(download.value.path())]
    results.write_text("".join(lines), encoding="utf-8")
    assert len(lines) == 5
    page.get_by_text("Results back", exact=True).click()
    page.locator("input[type=file]").first.set_input_files(results)
    page.get_by_text("results.jsonl").first.wait_for()
    press(page, "Merge results")
    button = page.get_by_role("button", name=re.compile("^Download .*answers")).first
    button.wait_for()
    Visit(page).settle()
    with page.expect_download() as download:
        button.click()
    answers = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert ["Dear Sir" in answer for answer in answers] == [True] * 5


def test_a_certificate_that_fails_says_what_it_would_need(store, visiting):
    """A draft that may not lose a hundredth of a point is not certified by so few prompts."""
    page = visiting("routing?view=Try+a+policy")
    limit = page.get_by_role("spinbutton", name=re.compile("^Certify")).first
    limit.fill("0.1")
    limit.press("Enter")
    shows(page, "This policy")
    press(page, "Save as a draft")
    shows(page, re.compile("^Not certified:"))
    told = store.read(ROUTING_TABLES).sort("table_version")["certificate"].drop_nulls()
    needed = certificate_sentence(told[-1]).partition("). ")[2]
    assert "more labelled prompts" in needed or "more prompts alone" in needed
    shows(page, needed)
