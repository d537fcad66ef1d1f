"""Tasks: labelled data in three parts, the loss that trains on it, and the metric that judges."""

from compress.tasks.metric import Metric
from compress.tasks.task import Input, Part, Samples, Takes, Task

__all__ = ["Input", "Metric", "Part", "Samples", "Takes", "Task"]
