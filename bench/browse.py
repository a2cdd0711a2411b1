"""Open every page of the built book in headless Chromium, on a desk, in the dark and on a phone; keep pictures of all of them.

Prints what was looked at and every finding, and ends with 1 if there is one. The pictures and ``report.json`` go to
``_build/browser``. Needs a built book, a Chromium on the path, and axe-core, which `make install` brings.

    python bench/browse.py              the whole book
    python bench/browse.py 12_metrics   pages whose name holds this
"""

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from iplkit import paths
from iplkit.stage import first_page

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tests" / room) for room in ("", "book")]
import browser  # noqa: E402
import page_checks  # noqa: E402
from page_checks import DARK, LOOKS, Finding  # noqa: E402


def main() -> int:
    """Look at the pages, print what was found; 0 if nothing is wrong."""
    folder = first_page().parent
    if browser.find() is None or not first_page().is_file():
        print("browse needs a Chromium and a built book (make thesis); skipped")
        return 0
    script = page_checks.axe_script()
    if script is None:
        print("axe-core is missing, so that contrast and names are not checked; make install brings it")
    names = [name for name in page_checks.pages_of(folder) if all(word in name for word in sys.argv[1:])]
    out = paths.root() / "_build" / "browser"
    shutil.rmtree(out, ignore_errors=True)
    begun, seen, findings = time.monotonic(), Seen(), []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, browser.serve(folder) as address:
        page = browser.Page(browser.find(), Path(profile))
        try:
            for number, name in enumerate(names, 1):
                print(f"[{number:2}/{len(names)}] {name}", flush=True)
                for look in LOOKS:
                    findings += page_checks.check(page, address, name, look, script, keys=look is not DARK)
                    seen.checks(page)
                    page_checks.show(page, address + name, look)
                    page_checks.settle(page, look)
                    seen.opening(page, address)
                    page.picture(out / look.name / f"{name.removesuffix('.html').replace('/', '-')}.png", whole=True)
        finally:
            page.close()
    report = seen.report(names, findings) | {"seconds": round(time.monotonic() - begun)}
    (out / "report.json").write_text(json.dumps(report | {"found": list(map(str, findings))}, indent=1) + "\n")
    print("\n".join(f"{key}: {value}" for key, value in report.items() if key != "pages"))
    print("\n".join(map(str, findings)) or f"Nothing is wrong on {len(names)} pages; their pictures are in {out.relative_to(paths.root())}")
    return bool(findings)


class Seen:
    """What was counted on the way."""

    def __init__(self):
        self.count, self.rules, self.lesser, self.version = Counter(), set(), Counter(), "none"

    def checks(self, page: browser.Page) -> None:
        """Count what the checks of a page left there."""
        self.count["controls reached by Tab"] += page.run("window.focusWatch ? window.focusWatch.reached.size : 0")
        if last := page.run("window.axeFound"):
            self.version, self.rules = last["version"], self.rules | set(last["rules"])
            self.lesser.update(f"{v['rule']} ({v['impact']})" for v in last["violations"] if v["impact"] not in page_checks.SERIOUS)

    def opening(self, page: browser.Page, address: str) -> None:
        """Count what an opening alone asked for."""
        self.count["openings"] += 1
        self.count["requests"] += len(page.requests)
        self.count["requests outside"] += len(page.outside(address))

    def report(self, names: list[str], findings: list[Finding]) -> dict:
        """For people and for ``report.json``."""
        kinds = Counter(finding.check for finding in findings)
        looks = ", ".join(f"{look.name} {look.width} px" for look in LOOKS)
        return {
            "pages": names, "looked at": f"{len(names)} pages, each as {looks}", **self.count,
            "findings": dict(kinds) or 0, "axe-core": self.version, "rules of axe-core that met something": len(self.rules),
            "rules": sorted(self.rules), "lesser findings of axe-core": dict(self.lesser),
        }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
