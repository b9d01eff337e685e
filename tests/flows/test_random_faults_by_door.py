"""A tenth of all requests to ServiceNow meets a fault, drawn from all that have a name, and people go on editing. Whatever the
door: nothing is lost, there twice, stale, half or left over, nothing is parked that is right, and little is sent twice."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.flows.carriers import CARRIERS, Carrier, differences, executed, kinds, not_at_rest
from tests.flows.unrest import edited_meanwhile, go_on_to_the_end, pipeline_of

MOST_REPEATED = 1.12


@cache
def least_rows(door: Carrier) -> int:
    """The rows that the same documents and edits take when nothing goes wrong."""
    with TemporaryDirectory() as folder:
        pipeline, calm = pipeline_of(door, Path(folder), seed=0, probability=0.0)
        edited_meanwhile(door, pipeline)
        go_on_to_the_end(pipeline, calm)
        assert (kinds(differences(door, pipeline)), not_at_rest(pipeline)) == (Counter(), [])
        return executed(door, pipeline)


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("door", CARRIERS)
def test_three_hundred_documents_arrive_right_through_faults_without_help(
    door: Carrier, seed: int, tmp_path: Path
) -> None:
    pipeline, mishaps = pipeline_of(door, tmp_path, seed=seed, probability=0.1)
    edited_meanwhile(door, pipeline)
    go_on_to_the_end(pipeline, mishaps)
    rows = executed(door, pipeline)
    ratio = rows / least_rows(door)
    found = differences(door, pipeline)
    print(
        f"{door}, seed {seed}: {len(pipeline.states())} documents, {mishaps.counts['requests']} requests, "
        f"{mishaps.met.total()} met one of {len(mishaps.met)} faults; {rows} rows, {ratio:.3f} of the least"
    )
    assert (kinds(found), found, not_at_rest(pipeline)) == (Counter(), [], [])
    assert mishaps.met.total() >= 8
    assert ratio <= MOST_REPEATED
