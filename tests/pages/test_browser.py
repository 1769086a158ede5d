"""The real app in a real browser."""

import os
from pathlib import Path

import pytest

from tests.conftest import N_WAITING
from tests.screenshots import PAGES, THEMES, VIEWS, browsing, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def address(tiny_store):
    with serving(tiny_store.path) as where:
        yield where


@pytest.fixture
def pictures(tmp_path) -> Path:
    folder = Path(os.environ.get("PROMPTSHED_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_no_serious_violation(theme, address):
    """Contrast, names, roles and structure of every page, as axe-core judges them."""
    package = pytest.importorskip("axe_playwright_python", reason="a development dependency")
    script = (Path(package.__path__[0]) / "axe.min.js").read_text(encoding="utf-8")
    with browsing(theme=theme, width=1400) as visit:
        for name, path in (PAGES | (VIEWS if theme == "dark" else {})).items():
            visit.open(f"{address}/{path}")
            visit.page.evaluate(script)
            found = visit.page.evaluate("() => axe.run()")["violations"]
            serious = [v for v in found if v["impact"] in {"serious", "critical"}]
            assert [(v["id"], v["nodes"][0]["html"]) for v in serious] == [], name


@pytest.mark.parametrize("theme", THEMES)
def test_every_page_opens_without_an_error(theme, address, pictures):
    """No exception, no complaint in the console, no request that leaves the machine."""
    with browsing(theme=theme, width=1400) as visit:
        outside = []
        visit.page.on(
            "request", lambda request: address in request.url or outside.append(request.url)
        )
        for name, path in PAGES.items():
            visit.open(f"{address}/{path}")
            assert visit.page.get_by_test_id("stException").count() == 0, name
            assert visit.page.get_by_role("dialog").count() == 0, name
            visit.screenshot(pictures / f"tiny-{name}-{theme}.png")
        assert visit.complaints == []
        assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []


def test_hostile_names_and_prompts_stay_text(address):
    """No page has an image, a link or a bold word that came from the store."""
    with browsing(theme="light", width=1400) as visit:
        for path in PAGES.values():
            visit.open(f"{address}/{path}")
            main = visit.page.get_by_test_id("stMain")
            assert main.locator("img[src='x']").count() == 0
            assert main.locator("a[href^='javascript']").count() == 0
            assert main.locator("svg a").count() == 0
            assert main.locator("b, .katex").count() == 0
            assert main.get_by_text("bold", exact=True).count() == 0


def test_a_lasso_lists_the_prompts_inside(address):
    """The waiting cluster lies at the right end of the tiny map."""
    with browsing(theme="light", width=1400) as visit:
        visit.open(f"{address}/map")
        plot = visit.page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
        left, right = plot["x"] + 0.85 * plot["width"], plot["x"] + 0.995 * plot["width"]
        top, bottom = plot["y"] + 0.3 * plot["height"], plot["y"] + plot["height"] - 2
        visit.page.mouse.move(left, top)
        visit.page.mouse.down()
        for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
            visit.page.mouse.move(x, y, steps=8)
        visit.page.mouse.up()
        visit.page.get_by_text(f"{N_WAITING} prompts selected").wait_for()
        assert visit.page.get_by_test_id("stException").count() == 0


def test_a_click_on_a_row_opens_the_domain(address):
    """The address changes with it, and opens the same domain again on the first visit."""
    with browsing(theme="light", width=1400) as visit:
        visit.open(f"{address}/taxonomy?domain=cluster-3")
        assert visit.page.locator("h3").first.inner_text() == "name a good wine"
        grid = visit.page.get_by_test_id("stDataFrame").first.bounding_box()
        visit.page.mouse.click(grid["x"] + 15, grid["y"] + 35 * 2.5)
        visit.page.get_by_role("heading", name="translate a letter").wait_for()
        assert "domain=dom-" in visit.page.url
