"""The memory of the machine, against which sizes are checked before anything is allocated."""

import os


def physical_memory() -> int:
    """Returns the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
