"""How steady pages stand in Chromium: `python -m tests.benchmarks.steadiness STORE`.

For every page the cumulative layout shift (CLS, 0 is perfect, up to 0.1 is good) of the first visit
and of a rerun, which a key press asks for; and on the map what is drawn, and the seconds from the
end of a lasso around half of the map to the list of the prompts inside.
"""

import argparse
import re
import time
from pathlib import Path

from playwright.sync_api import Page

from tests.screenshots import PAGES, Visit, browsing, serving

_WATCH = """
window.shifts = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput) window.shifts.push(entry.value);
}).observe({type: 'layout-shift', buffered: true});
"""


def shift(page: Page) -> float:
    """Return the layout shift since this was asked last, and forget it."""
    return page.evaluate("() => window.shifts.splice(0).reduce((sum, value) => sum + value, 0)")


def rerun(visit: Visit) -> None:
    """Run the page again, as its menu does."""
    visit.page.locator("h1").first.click()
    visit.page.keyboard.press("r")
    visit.page.wait_for_timeout(600)
    visit.settle()
    visit.page.wait_for_timeout(600)


def lasso(visit: Visit) -> float:
    """Draw around the right half of the map; returns the seconds until its prompts are listed."""
    page = visit.page
    plot = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    left, right = plot["x"] + 0.5 * plot["width"], plot["x"] + 0.99 * plot["width"]
    top, bottom = plot["y"] + 4, plot["y"] + plot["height"] - 4
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    began = time.perf_counter()
    page.get_by_text(re.compile(r"prompts selected,")).wait_for(timeout=60_000)
    return time.perf_counter() - began


def main() -> None:
    """Print the figures of one store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    given = parser.parse_args()
    with serving(given.store) as address, browsing(theme="light", width=1400) as visit:
        visit.page.set_default_timeout(60_000)
        visit.page.add_init_script(_WATCH)
        for name, path in PAGES.items():
            visit.open(f"{address}/{path}")
            first = shift(visit.page)
            rerun(visit)
            print(f"{name:10} first {first:.3f}  rerun {shift(visit.page):.3f}", flush=True)  # noqa: T201
        visit.open(f"{address}/{PAGES['map']}")
        drawn = visit.page.get_by_text("all counted").first.inner_text().split(" drawn")[0]
        shift(visit.page)
        seconds = lasso(visit)
        chosen = visit.page.get_by_text("prompts selected").first.inner_text()
        print(f"map: {drawn}; {chosen} after {seconds:.1f} s, shift {shift(visit.page):.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
