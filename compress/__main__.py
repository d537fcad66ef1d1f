"""`python -m compress`: the command line."""

from compress.cli.main import main

main()
