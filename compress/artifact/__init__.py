"""The compressed file: container, tensors, model; see SPEC.md."""
