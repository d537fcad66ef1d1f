"""A recipe carried out: stages, resume, report."""
