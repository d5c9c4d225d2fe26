"""What a case is and how events change it: pure, no clock, no I/O."""
