"""The book's extensions are imported as Sphinx imports them, by their file's name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))
