"""`amends` that takes no words in: what the other is measured against."""

from __future__ import annotations

from unittest.mock import patch

from services.cli import main
from services.kernel.vault import WordFollower

if __name__ == "__main__":
    with patch.object(WordFollower, "start", lambda _self: None):
        main()
