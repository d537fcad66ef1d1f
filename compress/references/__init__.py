"""What `--model` and `--task` say, made a network and a task: of the zoo, a file, a library.

Importing it loads no torch, and none of the libraries: a kind of reference imports its own where
one is resolved.
"""

from compress.references.kinds import KINDS, Kind, resolve
from compress.references.module import of_module
from compress.references.subject import Onnx, Subject, Torch
from compress.references.tasks import resolve_task

__all__ = ["KINDS", "Kind", "Onnx", "Subject", "Torch", "of_module", "resolve", "resolve_task"]
