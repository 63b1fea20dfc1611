from pathlib import Path

import numpy as np

from tests.measure.cache import Scored, inputs_of, load, load_all, place, save
from tests.measure.jobs import all_jobs, pneumonia_path


def scored(seed: int = 3) -> Scored:
    return Scored(
        data="phantom",
        family="label noise",
        grade="0.2",
        spec="phantom:label_noise=0.2",
        inputs="ab",
        seed=seed,
        trained_on={"device": {"Aster": 3}},
        case_ids=("a", "b"),
        scores=np.array([0.1, 0.9]),
        operating_point=0.4,
        weights=[np.ones((2, 3), np.float32), np.zeros(4, np.float32)],
    )


def test_model_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    save(scored(), tmp_path / "phantom" / "x" / "seed-003.npz")
    (back,) = load_all(tmp_path, "phantom")
    assert (back.family, back.grade, back.seed) == ("label noise", "0.2", 3)
    assert back.case_ids == ("a", "b")
    assert list(back.scores) == [0.1, 0.9]
    assert back.trained_on == {"device": {"Aster": 3}}
    assert [array.shape for array in back.weights] == [(2, 3), (4,)]
    assert load(tmp_path / "phantom" / "x" / "seed-003.npz").operating_point == 0.4


def test_what_a_model_was_trained_from_is_known_without_loading_it(tmp_path: Path) -> None:
    save(scored(), tmp_path / "a.npz")
    assert inputs_of(tmp_path / "a.npz") == "ab"
    assert inputs_of(tmp_path / "b.npz") is None


def test_no_two_trainings_share_a_file() -> None:
    jobs = all_jobs(pneumonia_path() or Path("pneumoniamnist.npz"))
    places = [place(Path(), job.folder, job.seed) for job in jobs]
    assert len(set(places)) == len(jobs)


def test_at_least_twenty_honest_seeds_and_every_grade_three_times() -> None:
    jobs = all_jobs(Path("pneumoniamnist.npz"))
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.folder] = counts.get(job.folder, 0) + 1
    assert counts["phantom/same-cases"] >= 20
    assert counts["pneumoniamnist/same-cases"] >= 20
    assert min(counts.values()) >= 3
