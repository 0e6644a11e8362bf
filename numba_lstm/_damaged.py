"""What reading a damaged file raises, in whatever library reads it."""

from __future__ import annotations

import struct
import zipfile
import zlib

__all__ = ["DAMAGED"]

# A changed byte may ask zipfile for a password, another version or another compression
# (RuntimeError, NotImplementedError), or NumPy and HDF5 for more memory than there is.
DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
