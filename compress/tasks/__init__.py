"""Tasks: labelled data in three parts, the loss that trains on it, and the metric that judges."""

from compress.tasks.arrays import Arrays
from compress.tasks.metric import Metric
from compress.tasks.task import Augment, Input, Part, Samples, Takes, Task

__all__ = ["Arrays", "Augment", "Input", "Metric", "Part", "Samples", "Takes", "Task"]
