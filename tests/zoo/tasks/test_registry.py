import re

import pytest
from compress_zoo.errors import ZooError
from compress_zoo.tasks import MEASURED, TRAINED, registry

from compress.recipe import Recipe, documented


def test_names_that_help_and_errors_tell_are_those_of_the_rows() -> None:
    assert tuple(task.name for task in registry.tasks()) == MEASURED
    told = re.findall(r"\w+", documented(Recipe)["task"].partition(":")[2].partition(";")[0])
    assert tuple(name for name in told if name != "or") == TRAINED
    with pytest.raises(ZooError, match=r"there are digits, imagefolder, mnist, stsb$"):
        registry.get("nothing")
