"""`python -m services.cli`: the command where no script is installed."""

from services.cli import main

main()
