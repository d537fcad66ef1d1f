"""What a run cost and gained: as data, as a page, as a table in the terminal."""
