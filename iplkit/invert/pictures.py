"""A reader's picture, opened safely: turned upright, without transparency, RGB bytes, of a size that can be worked on.

Whatever had to be done to it is said in `Picture.notes`. What cannot be opened is refused in one sentence that says what to do.
"""

import io
import struct
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from iplkit.errors import UserError

MOST_PIXELS = 100_000_000  # a photo of 10,000 x 10,000; more would need gigabytes
LEAST_SIDE = 32  # pixels
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM")  # and none that would start another program
ENDINGS = frozenset((".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".jp2"))
SAVE_AGAIN = "open it in a viewer and save it as PNG or JPEG"
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError, RuntimeError, struct.error)  # what decoders raise


@dataclass(frozen=True)
class Picture:
    """A picture that is ready for the search for faces.

    Args:
        rgb: upright, mode "RGB".
        path: where it came from.
        notes: sentences about what was done to it.
    """

    rgb: Image.Image
    path: Path
    notes: tuple[str, ...] = ()


def open_picture(path: str | Path) -> Picture:
    """Open one picture.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or JPEG 2000; its bytes say which, never its name.

    Raises:
        UserError: no such file, no picture, cut short, too large (more than 100 million pixels) or too small (a side below
            32 pixels), or pixels that are no whole numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"a picture is needed at {path}; there is {'a folder' if path.is_dir() else 'no file'}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow doubts large files and odd tags; the size is checked below, by its header
        try:
            with Image.open(path, formats=FORMATS) as image:
                _check_size(path, image.size)
                notes = _frames(image)
                image.load()
                return _plain(image, path, notes)
        except UserError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large(path, "far more") from error
        except UnidentifiedImageError as error:
            raise UserError(f"{path} needs to be a picture such as JPEG or PNG; it is {_what(path)}: {SAVE_AGAIN}") from error
        except DAMAGED as error:
            raise UserError(f"{path} needs to be a whole picture; it ends early or is damaged ({error}): copy it again, or {SAVE_AGAIN}") from error


def pictures_in(paths: Iterable[str | Path]) -> list[Path]:
    """Files as given, and for a folder the files in it that are named like pictures, sorted.

    Raises:
        UserError: if a folder has none.
    """
    found = []
    for path in map(Path, paths):
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != ".") if path.is_dir() else [path]
        if not inside:
            raise UserError(f"the folder {path} needs a picture; it has no file that ends in {', '.join(sorted(ENDINGS))}")
        found += inside
    return found


def try_each(items: Iterable, work: Callable) -> tuple[list, list[tuple]]:
    """Do the same with each item, and go on where one does not fit.

    Returns:
        What came out, in order; and the items that did not fit, each with its sentence.
    """
    done, failed = [], []
    for item in items:
        try:
            done.append(work(item))
        except UserError as error:
            failed.append((item, str(error)))
    return done, failed


def _what(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(4096)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    known = {
        "a web page, so the download failed": start.startswith((b"<!doctype", b"<html")),
        "a drawing in lines, not pixels": start.startswith((b"<svg", b"<?xml")),
        "a PDF": start.startswith(b"%pdf"),
        "HEIC, which is not read here": head[4:12] in (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1"),
        "only the beginning of one": start.startswith((b"\xff\xd8\xff", b"\x89png", b"gif8", b"riff")),
        "empty": not head,
        "text": not any(byte < 9 for byte in head),
    }
    return next((name for name, found in known.items() if found), "something else")


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise _too_large(path, f"{size[0]} x {size[1]}")
    if min(size) < LEAST_SIDE:
        raise UserError(f"{path} needs at least {LEAST_SIDE} pixels on each side; it has {size[0]} x {size[1]}: take a larger copy")


def _too_large(path: Path, came: str) -> UserError:
    return UserError(f"{path} needs at most {MOST_PIXELS // 1_000_000} million pixels; it has {came}: shrink it, or cut out the face first")


def _frames(image: Image.Image) -> list[str]:
    """Only files that move or have pages are counted; a phone's JPEG with a second view is one picture."""
    number = getattr(image, "n_frames", 1)
    if number == 1 or image.format == "MPO":
        return []
    return [f"it has {number} frames, and the first was taken; for another one, save that frame as PNG"]


def _plain(image: Image.Image, path: Path, notes: list[str]) -> Picture:
    try:
        image = ImageOps.exif_transpose(image)
    except DAMAGED:
        notes = [*notes, "its note on how the camera was held cannot be read, so it was not turned"]
    image, bits = _bytes(image, path)
    image, alpha = _opaque(image)
    image, colors = _srgb(image)
    return Picture(image.convert("RGB"), path, (*notes, *filter(None, (bits, alpha, colors))))


def _bytes(image: Image.Image, path: Path) -> tuple[Image.Image, str]:
    """Whole numbers of more than 8 bits to 8, by share of the largest; Pillow's own conversion would cut them off."""
    if image.mode == "F":
        raise UserError(f"{path} needs whole numbers of 8 or 16 bits; it holds fractions: {SAVE_AGAIN}")
    if not image.mode.startswith("I"):
        return image, ""
    values = np.asarray(image).astype(np.int32)
    if values.min() < 0 or values.max() > 65535:
        raise UserError(f"{path} needs whole numbers of 8 or 16 bits; it goes from {values.min()} to {values.max()}: {SAVE_AGAIN}")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8)), "its 16 bits were rounded to 8"


def _opaque(image: Image.Image) -> tuple[Image.Image, str]:
    """What is transparent becomes white."""
    if not image.has_transparency_data:
        return image, ""
    image = image.convert("RGBA")
    if image.getextrema()[3][0] == 255:
        return image, ""
    flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    flat.info = {name: value for name, value in image.info.items() if name == "icc_profile"}
    return flat, "its transparent parts were put on white"


def _srgb(image: Image.Image) -> tuple[Image.Image, str]:
    """Colors as a screen shows them, where the file brings a profile; a broken profile is passed over."""
    profile = image.info.get("icc_profile")
    image = image.convert("RGB") if image.mode == "RGBA" else image
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image, "its four inks were turned into RGB" if image.mode == "CMYK" else ""
    try:
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(theirs).strip()
        if "sRGB" in name:
            return image, ""
        turned = ImageCms.profileToProfile(image, theirs, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *DAMAGED):
        return image, "its color profile is damaged and was passed over"
    return turned, f"its colors were turned from {name} into sRGB"
