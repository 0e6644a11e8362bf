"""How many examples hypothesis tries: daily a few, the same ones each time; else many new ones."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from long_tool import LONG

# The first example may compile a kernel, and the machine may be busy.
_ALWAYS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("daily", max_examples=50, derandomize=True, database=None, **_ALWAYS)
settings.register_profile("long", max_examples=2000, print_blob=True, **_ALWAYS)
settings.load_profile("long" if LONG else "daily")
