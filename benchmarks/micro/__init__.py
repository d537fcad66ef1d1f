"""Speed of single kernels, at two sizes or more."""
