"""Take a picture of every page: `python -m tests.screenshots STORE OUTDIR`.

Every page of this store and of an empty one, in light and dark, 1400 and 800 px wide. The store
is only read.
"""

import argparse
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page, sync_playwright

PAGES = {
    "overview": "",
    "runs": "data-and-runs",
    "map": "map",
    "inbox": "review",
    "domains": "taxonomy",
    "models": "profiles",
    "policy": "routing",
    "try": "routing?view=Try+a+policy",
    "regret": "hindsight",
    "batch": "batch-routing",
    "drift": "coverage",
}
VIEWS = {
    "rename": "taxonomy?domains-view=Rename+many",
    "changes": "taxonomy?domains-view=Changes",
    "exchange": "taxonomy?domains-view=Export+%26+import",
    "versions": "routing?view=Versions",
    "emit": "batch-routing?batch-view=Batch+files",
    "merge": "batch-routing?batch-view=Results+back",
}
"""Other views of some pages."""
THEMES = ("light", "dark")
WIDTHS = (1400, 800)
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_ROOT = Path(__file__).resolve().parent.parent
_START_S = 60


@dataclass
class Visit:
    """A page that was opened, and what the browser complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        """Open a page of the app and wait until it is drawn."""
        self.page.goto(address)
        self.page.get_by_test_id("stSidebar").wait_for()
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run and nothing is drawn any more."""
        self.page.locator("[data-testid='stApp'][data-test-script-state='notRunning']").wait_for()
        self.page.locator("h1").first.wait_for()
        for chart in self.page.locator(".js-plotly-plot:visible").all():
            chart.locator(".main-svg").first.wait_for()
        self.page.wait_for_timeout(700)

    def screenshot(self, path: Path) -> None:
        """Take a picture of the whole page."""
        main = self.page.get_by_test_id("stMain")
        height = main.evaluate("element => element.scrollHeight")
        width = self.page.viewport_size["width"]
        self.page.set_viewport_size({"width": width, "height": max(height, 800)})
        self.page.wait_for_timeout(500)
        self.page.screenshot(path=path)
        self.page.set_viewport_size({"width": width, "height": 900})


@contextlib.contextmanager
def serving(store: Path, *, port: int = 0, folder: Path = _ROOT) -> Iterator[str]:
    """Run `promptshed app` in a folder, on a free port if none is named; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "pipeline", "app", "--store", str(store), "--port", str(port)]
    env = os.environ | {"PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(command, cwd=folder, env=env) as app:
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", app)
            yield f"http://127.0.0.1:{port}"
        finally:
            app.terminate()


@contextlib.contextmanager
def browsing(*, theme: str, width: int) -> Iterator[Visit]:
    """Start a browser that prefers light or dark."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
        )
        visit = Visit(page)
        page.on(
            "console",
            lambda message: _is_complaint(message) and visit.complaints.append(message.text),
        )
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        yield visit
        browser.close()


def _is_complaint(message: ConsoleMessage) -> bool:
    """Tell an error from Streamlit's own search for its root below the address of a page."""
    is_search = "/_stcore/" in message.location["url"] and "404" in message.text
    return message.type == "error" and not is_search


def wait_for(address: str, app: subprocess.Popen) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if app.poll() is not None:
            raise RuntimeError(f"The app ended with {app.returncode} before it answered.")
        with contextlib.suppress(OSError), urllib.request.urlopen(address) as answer:  # noqa: S310
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError(f"The app did not answer at {address} within {_START_S} s.")


def main() -> None:
    """Take all pictures, or those of some pages."""
    parser = argparse.ArgumentParser(description="Take a picture of every page.")
    parser.add_argument("store", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(PAGES | VIEWS), default=[*PAGES, *VIEWS])
    parser.add_argument("--without-empty", action="store_true", help="the given store alone")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as nowhere:
        stores = {"full": arguments.store, "empty": Path(nowhere, "empty.duckdb")}
        for kind, store in list(stores.items())[: 1 if arguments.without_empty else None]:
            with serving(store) as address:
                for theme, width in itertools.product(THEMES, WIDTHS):
                    with browsing(theme=theme, width=width) as visit:
                        for name in arguments.only:
                            visit.open(f"{address}/{(PAGES | VIEWS)[name]}")
                            picture = f"{name}-{kind}-{theme}-{width}.png"
                            visit.screenshot(arguments.folder / picture)
                        for complaint in visit.complaints:
                            print(f"{kind} {theme} {width}: {complaint}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
