from __future__ import annotations

import sys
from pathlib import Path

# The benchmarks are programs, not a package: their shared modules lie beside them.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
