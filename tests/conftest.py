"""The order of the whole suite."""

from __future__ import annotations

from collections.abc import MutableSequence

import pytest

# Minutes each and in one piece: begun last, one worker would run it while the other waits.
LONGEST = ("test_readme.py", "test_notebooks.py", "test_story.py")


def pytest_collection_modifyitems(items: MutableSequence[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items[:] = sorted(items, key=lambda item: order.get(item.path.name, len(LONGEST)))
