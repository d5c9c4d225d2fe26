"""`amends submit` and `amends import`: clients of the running intake over HTTP."""
