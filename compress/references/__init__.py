"""What `--model` and `--task` say, made a network and a task: of the zoo, a file, a library."""

from compress.references.networks import KINDS, resolve
from compress.references.python import of_module
from compress.references.subject import Onnx, Subject, Torch
from compress.references.tasks import resolve_task

__all__ = ["KINDS", "Onnx", "Subject", "Torch", "of_module", "resolve", "resolve_task"]
