"""How many processes share the photographs of a run."""

from pathlib import Path

import pytest

from facade.footage import anonymize_files
from facade.footage.anonymize_files import run_jobs
from facade.footage.job import Job
from tests.footage.films import settings


@pytest.mark.parametrize(
    ("photographs", "workers", "processes"),
    [(1, None, 1), (59, None, 1), (59, 8, 1), (60, None, 6), (100, None, 10), (100, 4, 4), (5000, None, 32)],
)
def test_few_photographs_are_done_by_one_process_and_many_by_all(monkeypatch, photographs, workers, processes):
    started = []
    monkeypatch.setattr(anonymize_files, "cores", lambda: 32)
    monkeypatch.setattr(anonymize_files, "ordered_map", lambda *a, **_: (started.append((a[2], a[3])), iter(()))[1])
    jobs = [Job(Path(f"{number}.jpg"), f"{number}.jpg", Path(f"out/{number}.jpg")) for number in range(photographs)]
    assert run_jobs(jobs, settings({}), False, print, workers) == []
    assert started == [("photographs", processes)]
