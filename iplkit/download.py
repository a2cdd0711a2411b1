"""One file from one address, in pieces that survive a broken line.

What has come stands in ``NAME.part``, with a page beside it that says which address and which version it is of. A later
try asks for the rest by a Range, and starts again where the server has another version by then.
"""

import errno
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from iplkit.errors import UserError, full_disk

CHUNK = 1 << 20
TRIES = 3  # of one address, each going on where the last one broke off
SILENCE = 30.0  # seconds until a server that says nothing counts as gone
HUB = "https://huggingface.co"
WEB_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")
Progress = Callable[[int, int], None]


class NoFile(UserError):
    """This address does not give the file; another one may."""


def address(url: str) -> str:
    """The https address of ``hf:OWNER/REPOSITORY/FILE``, on the Hub or on the mirror that HF_ENDPOINT names; others as they are."""
    if not url.startswith("hf:"):
        return url
    owner, repository, file = url.removeprefix("hf:").split("/", 2)
    return f"{os.environ.get('HF_ENDPOINT', HUB).rstrip('/')}/{owner}/{repository}/resolve/main/{file}"


def download(url: str, part: Path, progress: Progress | None = None, silence: float = SILENCE) -> None:
    """Fill `part` with what stands at `url`, going on where an earlier try broke off.

    Args:
        url: https, http, file or hf.
        part: where the bytes collect; it stays if the line breaks, and goes if they can be of no use.
        progress: called with the bytes so far and all bytes, 0 if unknown.
        silence: seconds without a byte after which the line counts as broken.

    Raises:
        NoFile: no answer, a refusal, a web page instead of a file, or a line that broke `TRIES` times.
        UserError: a full disk.
    """
    for tried in range(1, TRIES + 1):
        before = _size(part)
        try:
            return _once(address(url), url, part, progress, silence)
        except urllib.error.HTTPError as error:
            if error.code != 416:  # the rest that was asked for does not exist, so what is here is of something else
                raise NoFile(f"answers {error.code} {error.reason}") from error
            drop(part)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            if tried == TRIES:
                kept = f", {_size(part)} bytes are kept and the next try goes on from there" if _size(part) else ""
                raise NoFile(f"does not answer ({reason or type(error).__name__}){kept}") from error
            time.sleep(0 if _size(part) > before else 0.2 * tried)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                drop(part)
                raise UserError(full_disk(error)) from error
            raise
    raise NoFile("does not have the rest of what it began to send")


def drop(part: Path) -> None:
    """Remove what has come so far."""
    part.unlink(missing_ok=True)
    _page(part).unlink(missing_ok=True)


def _once(where: str, url: str, part: Path, progress: Progress | None, silence: float) -> None:
    done, known = _size(part), _read(part)
    request = urllib.request.Request(where, headers={"User-Agent": "iplkit", "Accept-Encoding": "identity"})
    if done and known.get("url") == url and known.get("version"):
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", known["version"])
    with urllib.request.urlopen(request, timeout=silence) as answer:
        if "text/html" in (answer.headers.get("Content-Type") or ""):
            raise NoFile("gives no file: it is a web page, perhaps about a quota or a log-in")
        if answer.status == 206 and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {done}-"):
            drop(part)
            raise http.client.HTTPException("another range than asked for")
        done = done if answer.status == 206 else 0
        length = int(answer.headers.get("Content-Length") or 0)
        total = done + length if length else 0
        _room(part, length)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        _page(part).write_text(json.dumps({"url": url, "version": "" if version.startswith("W/") else version}), encoding="utf-8")
        done = _pour(answer, part, done, total, progress)
    if total and done < total:
        raise http.client.IncompleteRead(b"", total - done)
    _page(part).unlink(missing_ok=True)


def _pour(answer, part: Path, done: int, total: int, progress: Progress | None) -> int:
    with open(part, "ab" if done else "wb") as file:
        while chunk := answer.read1(CHUNK) if hasattr(answer, "read1") else answer.read(CHUNK):
            if not done and chunk.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(WEB_PAGES):
                file.close()
                drop(part)
                raise NoFile("gives no file: it is a web page, perhaps about a quota or a log-in")
            file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    return done


def _room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, "full", str(part.with_suffix("")))


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _page(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read(part: Path) -> dict:
    try:
        found = json.loads(_page(part).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}
