"""Put the demo's present table and the overview's picture into the README.

`promptshed demo > table.txt`, then `python tests/update_readme.py table.txt data/demo.duckdb`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- demo: promptshed demo -->", "<!-- end -->"


def main(table: Path, store: Path) -> None:
    """Rewrite README.md and .readme/overview.png."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    shown = table.read_text(encoding="utf-8").rstrip()
    readme.write_text(f"{before}{START}\n```text\n{shown}\n```\n{END}{after}", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.screenshots", str(store), folder]
        command += ["--without-empty", "--only", "overview"]
        subprocess.run(command, check=True, cwd=ROOT)
        picture = (Path(folder) / "overview-full-light-1400.png").read_bytes()
    (ROOT / ".readme").mkdir(exist_ok=True)
    (ROOT / ".readme" / "overview.png").write_bytes(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
