"""What a reader does on the live page, in a real browser: press, drag by mouse or finger, download, choose a file."""

import json
import time
from pathlib import Path

import numpy as np

LIVE = "document.querySelector('.live').live"


def press(page, text: str) -> None:
    """Press the button with that text, as a user does: downloads and file dialogs ask for it."""
    page.send("Runtime.evaluate", expression=f"[...document.querySelectorAll('.live button')].find(b => b.textContent === {json.dumps(text)}).click()", userGesture=True)


def start(page) -> None:
    """Start the live model and wait for its first picture."""
    press(page, "Start the live model")
    page.until(f"!!{LIVE} || document.querySelector('.live-offer').textContent.includes('cannot run here')")
    assert page.run(f"!!{LIVE}"), page.run("document.querySelector('.live-offer').textContent")


def settle(page) -> None:
    """Wait for the whole picture of what the controls say."""
    page.run(f"{LIVE}.busy")


def pixels(page) -> np.ndarray:
    """The picture on the screen, ``[H, W, 3]``."""
    settle(page)
    script = "(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])(document.querySelector('.live canvas'))"
    return np.array(page.run(script), np.int32).reshape(64, 64, 4)[..., :3]


def control(label: str) -> str:
    """The control beside a label, in JavaScript."""
    return f"[...document.querySelectorAll('.live-panel label')].find(l => l.textContent === {json.dumps(label)}).control"


def move(page, label: str, value) -> None:
    """Set a control, as its own events do."""
    page.run(f"(e => {{ e.value = {json.dumps(value)}; for (const kind of e.tagName === 'SELECT' ? ['change'] : ['input', 'change']) e.dispatchEvent(new Event(kind)); }})({control(label)})")
    settle(page)


def place(page, label: str) -> dict:
    """Where a control is on the screen, after scrolling there."""
    page.run(f"{control(label)}.scrollIntoView({{block: 'center'}})")
    return page.run(f"(r => ({{x: r.x, y: r.y, w: r.width, h: r.height}}))({control(label)}.getBoundingClientRect())")


def finger(page, points: list[tuple[float, float]]) -> None:
    """Put a finger down at the first point, move it over the others, lift it."""
    for k, (x, y) in enumerate(points):
        page.send("Input.dispatchTouchEvent", type="touchMove" if k else "touchStart", touchPoints=[{"x": x, "y": y}])
    page.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def download(page, button: str, folder: Path) -> Path:
    """Press a button and wait for the one file that appears in an empty folder."""
    page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    press(page, button)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (files := list(folder.iterdir())) and not any(path.suffix == ".crdownload" for path in files):
            return files[0]
        time.sleep(0.05)
    raise TimeoutError(f"nothing was downloaded by {button}")


def choose(page, path: Path) -> None:
    """Give a file to the page's file input, as its dialog does, and wait until it was read."""
    page.run("document.querySelector('.live-status').textContent = ''")
    field = page.send("Runtime.evaluate", expression="document.querySelector('.live input[type=file]')")["result"]["objectId"]
    page.send("DOM.setFileInputFiles", files=[str(path)], objectId=field)
    page.until("document.querySelector('.live-status').textContent !== ''")
    settle(page)
