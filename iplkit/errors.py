"""What a reader can cause, said in one sentence."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(ValueError):
    """Something the caller gave does not fit: one plain sentence with what was needed and what came.

    The command line prints the sentence without a traceback and exits with code 2.
    """


class NotHere(UserError):
    """What was asked for belongs to another profile, or its file is not there; a notebook can leave it out and go on."""


def full_disk(error: OSError) -> str:
    """The sentence about a full disk, or an empty one if the error is another."""
    return full_disk_sentence(error.filename) if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""


def full_disk_sentence(file: str | None) -> str:
    """What to say when `file` could not be written."""
    return f"the disk needs free space to write {file or 'a file'}; it is full, and nothing half-written was left"


@contextmanager
def one_sentence() -> Iterator[None]:
    """For a step of the workflow: end with one sentence and exit code 2 on a `UserError` or a full disk."""
    try:
        yield
    except UserError as error:
        sentence = str(error)
    except OSError as error:
        if not (sentence := full_disk(error)):
            raise
    else:
        return
    print(f"Error: {' '.join(sentence.split())}", file=sys.stderr)
    sys.exit(2)
