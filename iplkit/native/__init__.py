"""Operations in C++ and CUDA, built on this machine when somebody asks for them; nothing needs them.

    from iplkit import native
    native.enable()      True if they were built, tested and switched on; else one warning says why, and torch goes on alone
"""

from iplkit.native.build import available, disable, enable

__all__ = ["available", "disable", "enable"]
