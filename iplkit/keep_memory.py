"""Large tensors without the price of new pages.

The C library gives every block above 32 MB back to the system when it is freed, and asks for it again a moment later. The system
then clears each page anew. At 256 px and above that costs several times what a multiplication costs. `keep_memory` tells the
library to keep such blocks. No number changes; a process holds what it once needed until it ends.
"""

import ctypes
import os

WISHES = {-1: 2**31 - 1, -4: 0}  # glibc's malloc.h: M_TRIM_THRESHOLD, as high as an int goes; M_MMAP_MAX, no block of its own


def keep_memory() -> bool:
    """Keep freed blocks of any size in this process. Returns whether the C library could be told (glibc only).

    A reader's own setting, the variables MALLOC_MMAP_THRESHOLD_ or GLIBC_TUNABLES, is left as it is.
    """
    if os.name != "posix" or "MALLOC_MMAP_THRESHOLD_" in os.environ or "GLIBC_TUNABLES" in os.environ:
        return False
    try:
        library = ctypes.CDLL(None)
        return library.gnu_get_libc_version is not None and all([library.mallopt(name, value) for name, value in WISHES.items()])
    except (AttributeError, OSError):
        return False
