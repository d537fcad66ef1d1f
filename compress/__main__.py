"""`python -m compress`: the command line."""

from compress.cli.start import main

main()
