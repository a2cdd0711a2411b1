"""A real browser for tests: the one that prints the PDF, with ears for what a page asks for and complains about, and with hands."""

import base64
from pathlib import Path
from urllib.parse import urlsplit

from iplkit.errors import UserError
from iplkit.pdf import browser as printer
from iplkit.pdf.browser import Quiet, serve

__all__ = ["Page", "Quiet", "find", "serve"]


def find() -> str | None:
    """The browser's program, or None."""
    try:
        return printer.find()
    except UserError:
        return None


class Page(printer.Page):
    """One page; what it asked for, and what it complained about, is kept."""

    def __init__(self, program: str, profile: Path):
        self.requests, self.complaints = [], []
        super().__init__(program, profile)
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)  # keys go where the focus is, as in a front window
        for domain in ("Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        self.__exit__()

    def note(self, event: dict) -> None:
        """Keep requests and complaints."""
        method, found = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(found["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = found["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and found["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(a.get("value", a.get("description"))) for a in found["args"]))
        elif method == "Log.entryAdded" and found["entry"]["level"] == "error":
            self.complaints.append(f"{found['entry']['text']} {found['entry'].get('url', '')}")

    def open(self, address: str) -> None:
        """Load a page and wait until it is complete; what earlier pages did is forgotten."""
        self.requests, self.complaints = [], []
        super().open(address)

    def window(self, width: int, height: int, *, phone: bool = False, dark: bool = False) -> None:
        """Size of the window in CSS pixels, and the color scheme."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def key(self, name: str) -> None:
        """Press one key, such as ArrowRight."""
        codes = {"ArrowRight": 39, "ArrowLeft": 37, "Tab": 9, "Home": 36, "End": 35}
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=codes[name])

    def picture(self, path: Path, *, whole: bool = False, tallest: int = 12000) -> None:
        """Write a screenshot as PNG: the window, or the whole page down to `tallest` pixels."""
        more = {}
        if whole:
            width, height = self.run("[innerWidth, document.documentElement.scrollHeight]")
            more = {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": min(height, tallest), "scale": 1}}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png", **more)["data"]))

    def drag(self, x0: float, x1: float, y: float, steps: int = 8) -> None:
        """Press the mouse at x0, move it to x1, let go."""
        self.send("Input.dispatchMouseEvent", type="mousePressed", x=x0, y=y, button="left", buttons=1, clickCount=1)
        for k in range(1, steps + 1):
            self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x0 + (x1 - x0) * k / steps, y=y, button="left", buttons=1)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", x=x1, y=y, button="left", clickCount=1)

    def touch(self, x: float, y: float) -> None:
        """Tap once with a finger."""
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def outside(self, address: str) -> list[str]:
        """Requests that left the host of `address`."""
        host = urlsplit(address).netloc
        return [url for url in self.requests if urlsplit(url).scheme not in ("data", "blob", "about", "file") and urlsplit(url).netloc != host]
