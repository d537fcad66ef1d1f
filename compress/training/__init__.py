"""One fit loop for baselines, fine-tuning and centroids, and what it stands on."""
