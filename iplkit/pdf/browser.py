"""A browser without a window: Chromium, Chrome or Edge, spoken to over two pipes. No other package is needed."""

import base64
import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from iplkit.errors import UserError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "brave-browser")
NAMES += tuple(f"/Applications/{name}.app/Contents/MacOS/{name}" for name in ("Google Chrome", "Chromium", "Microsoft Edge"))
OLDEST = 131  # the first version that writes page numbers from a style sheet
FLAGS = ("--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update")
FLAGS += ("--no-sandbox", "--disable-sync", "--disable-quic", "--hide-scrollbars", "--remote-debugging-pipe")  # the sandbox does not start for root; the pages are our own
SECONDS = 300  # for one answer, on a busy machine


def find(program: str = "") -> str:
    """The browser's program.

    Args:
        program: its name or path; empty: the first known one that is installed.

    Raises:
        UserError: if there is none, or it is too old.
    """
    found = next((path for name in ((program,) if program else NAMES) if (path := shutil.which(name))), None)
    if found is None:
        what = f"{program!r} cannot be run" if program else "none is found"
        raise UserError(f"the PDF is printed by Chromium, Chrome or Edge, version {OLDEST} or newer, and {what}; install one (Debian: apt install chromium), or name it with --browser")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout
    version = re.search(r"(\d+)\.\d+", said)
    if version is None or int(version[1]) < OLDEST:
        raise UserError(f"the PDF is printed by Chromium, Chrome or Edge, version {OLDEST} or newer; {found} says {said.strip()[:60]!r}")
    return found


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, *args) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serve(folder: Path, handler: type[SimpleHTTPRequestHandler] = Quiet) -> Iterator[str]:
    """Serve a folder on a free port of this machine; yields the address, which ends with a slash."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Page:
    """One page of a browser; use it in a ``with``."""

    def __init__(self, program: str, profile: Path):
        """Start the browser.

        Args:
            program: see `find`.
            profile: an empty folder for what it keeps.
        """
        from_browser, to_us = os.pipe()
        from_us, to_browser = os.pipe()

        def ends() -> None:  # the browser reads file 3 and writes file 4
            a, b = os.dup(from_us), os.dup(to_us)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"], preexec_fn=ends, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_us)
        os.close(from_us)
        self.reads, self.writes, self.parts, self.count, self.session = from_browser, to_browser, [], 0, None
        try:
            target = next(t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page")
            self.session = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
            self.send("Page.enable")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *problem) -> None:
        with contextlib.suppress(OSError, UserError):
            self.session = None
            self.send("Browser.close")
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.reads)
        os.close(self.writes)

    def send(self, method: str, **parameters) -> dict:
        """One command of the DevTools protocol and its answer.

        Raises:
            UserError: if the browser refuses, ends, or is silent for too long.
        """
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters} | ({"sessionId": self.session} if self.session else {})
        with contextlib.suppress(BrokenPipeError):  # it has ended; reading says so
            os.write(self.writes, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise UserError(f"the browser was asked for {method}, and says: {answer['error']['message']}")
                return answer["result"]
            self.note(answer)

    def note(self, event: dict) -> None:
        """What the page did meanwhile; nothing here needs to know."""

    def _receive(self, deadline: float) -> dict:
        while not self.parts or b"\0" not in self.parts[-1]:
            ready, _, _ = select.select([self.reads], [], [], max(deadline - time.monotonic(), 0))
            part = os.read(self.reads, 1 << 20) if ready else b""
            if not part:
                raise UserError(f"the browser needs to answer within {SECONDS} s; it {'ended' if ready else 'did not'}")
            self.parts.append(part)
        message, _, rest = b"".join(self.parts).partition(b"\0")
        self.parts = [rest] if rest else []
        return json.loads(message)

    def run(self, script: str):
        """What a JavaScript expression is, promises awaited.

        Raises:
            UserError: if it throws.
        """
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise UserError(f"a script failed in the browser: {answer['exceptionDetails'].get('exception', {}).get('description', 'no reason given')}")
        return answer["result"].get("value")

    def open(self, address: str) -> None:
        """Load a page and wait until it is complete."""
        self.send("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def until(self, condition: str, seconds: float = SECONDS) -> None:
        """Wait until a JavaScript condition holds.

        Raises:
            UserError: if it does not come true in time.
        """
        end = time.monotonic() + seconds
        while not self.run(condition):
            if time.monotonic() > end:
                raise UserError(f"within {seconds:g} s the browser needs to see this come true, and did not: {condition}")
            time.sleep(0.05)

    def print(self) -> bytes:
        """The page as a PDF, in the paper size of its style sheet, with an outline of its headings."""
        wanted = {"printBackground": True, "preferCSSPageSize": True, "generateTaggedPDF": True, "generateDocumentOutline": True}
        return base64.b64decode(self.send("Page.printToPDF", **wanted)["data"])
