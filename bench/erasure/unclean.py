"""`amends` without the step behind an erasure: no key is destroyed, no file is cleaned.

This is what `--control` runs; the program itself has no such switch.
"""

from __future__ import annotations

from unittest.mock import patch

from services.cli import main
from services.kernel.vault import Erasures

if __name__ == "__main__":
    with patch.object(Erasures, "finish", lambda _self: True):
        main()
