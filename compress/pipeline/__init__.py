"""A recipe carried out: stages, resume, report."""

import os

# Before torch is loaded: its threads otherwise spin while they wait for each other, and on a
# machine that does other work as well small networks then train several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
