"""Where every figure comes from: scripts here, their results in `results/`."""
