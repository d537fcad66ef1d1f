"""Named networks and tasks: facts in rows, built on request. Importing it loads no torch."""
