"""A real JupyterLab server for tests: settings, caches and notebooks of its own, nothing of the user's is read or written."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from small_book import REPOSITORY

from iplkit.stage import environment

SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},  # no request that leaves the machine
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is on the page, wherever it is scrolled to
}
SECONDS = 300  # for the server to start, on a busy machine


def repository(folder: Path, name: str, tier: str) -> Path:
    """A place where one committed notebook can be opened and changed, with the package beside it.

    Args:
        folder: where.
        name: of the notebook.
        tier: what its parameters cell asks for; everything else is as it is committed.
    """
    (folder / "notebooks").mkdir(parents=True)
    (folder / "iplkit").symlink_to(REPOSITORY / "iplkit")
    (folder / "figures").mkdir()
    (folder / "figures" / "full").symlink_to(REPOSITORY / "figures" / "full")  # numbers that notebooks read as they are printed
    shutil.copyfile(REPOSITORY / "_toc.yml", folder / "_toc.yml")
    notebook = json.loads((REPOSITORY / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    (parameters,) = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    parameters["source"] = "".join(parameters["source"]).replace('TIER: str = "laptop"', f'TIER: str = "{tier}"')
    assert f'"{tier}"' in parameters["source"]
    (folder / "notebooks" / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return folder


@contextlib.contextmanager
def serve(folder: Path, home: Path) -> Iterator[str]:
    """JupyterLab over `folder`; yields an address to which ``lab/...`` and the token are appended.

    Raises:
        RuntimeError: if the server ends before it answers; with its last words.
    """
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    own = {f"JUPYTER_{kind}_DIR": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"), "IPYTHONDIR": str(home / "ipython")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(16), home / "log.txt"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser", f"--ServerApp.root_dir={folder}"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    with open(log, "w") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment() | own | {"PATH": _path()}, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait(process, f"http://127.0.0.1:{port}/api?token={token}", log)
            yield f"http://127.0.0.1:{port}/{{}}?token={token}"
        finally:
            process.terminate()
            process.wait(60)


def _path() -> str:
    """The search path, with this Python's own programs first, so that the kernel is this Python too."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def _wait(process: subprocess.Popen, address: str, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=10) as answer:
            if answer.status == 200:
                return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-2000:]}")
        time.sleep(0.2)
