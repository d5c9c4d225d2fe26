"""Commands that show what amends promises: one promise, one line, one control that fails."""
