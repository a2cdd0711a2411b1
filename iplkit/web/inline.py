"""The live page's files as one plain script, for pages that are opened as files and may fetch nothing.

It is made when the book is staged, beside the page's own script, and no page asks for it over http.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

NAME = "inline.js"
NOT_NEEDED = {NAME, "start.js", "vendor.json", "LICENSE.txt"}


def inline_script(files: Mapping[str, Path]) -> bytes:
    """A script that brings the files in base64, the same bytes for the same files.

    Args:
        files: path below the page's ``live`` folder -> file; those that the page does not read are left out.
    """
    stored = {name: base64.b64encode(path.read_bytes()).decode() for name, path in sorted(files.items()) if name not in NOT_NEEDED}
    return f"window.iplkitLive = {json.dumps(stored, separators=(',', ':'))};\n".encode()
