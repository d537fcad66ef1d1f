"""From a torch module to files that other tools read."""
