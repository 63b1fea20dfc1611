from pathlib import PurePosixPath

import pytest

from components.cases.patients import EACH_FILE, parse_name, refuse_unknown_numbers
from components.records.errors import SourceError
from tests.refusing import refused


def paths(*names: str, folder: str = "train/NORMAL") -> list[PurePosixPath]:
    return [PurePosixPath(folder, name) for name in names]


@pytest.mark.parametrize(
    ("stem", "patient", "aetiology"),
    [
        ("person100_bacteria_475", "x/person100", "bacterial"),
        ("person1_virus_6", "x/person1", "viral"),
        ("person1_virus_6_2", "x/person1", "viral"),
        ("NORMAL2-IM-0381-0001", "x/NORMAL2-IM-0381", "none"),
        ("IM-0115-0001", "x/IM-0115", "none"),
        ("IM-0011-0001-0002", "x/IM-0011", "none"),
        ("BACTERIA-1008087-0001", "1008087", "bacterial"),
        ("VIRUS-1008087-0003", "1008087", "viral"),
        ("NORMAL-1234-0001", "1234", "none"),
    ],
)
def test_names_of_the_kermany_sets_give_patient_and_aetiology(
    stem: str, patient: str, aetiology: str
) -> None:
    label = int(not stem.startswith(("NORMAL", "IM")))
    found = parse_name(PurePosixPath("x", stem), label)
    assert (found.patient, found.attributes) == (patient, {"aetiology": aetiology})
    assert "Kermany" in found.known_as


@pytest.mark.parametrize(
    ("path", "patient"),
    [
        ("train/OCT/CNV-1016042-12", "1016042"),
        ("images/00000013_005", "00000013"),
        ("train/0/sub-S03044_ses-E06198_run-1", "sub-S03044"),
        ("train/patient00001/study1/view1_frontal", "patient00001"),
        ("files/p10/p10000032/s50414267/02aa804e", "p10000032"),
    ],
)
def test_names_of_other_published_sets_give_the_patient(path: str, patient: str) -> None:
    assert parse_name(PurePosixPath(path), 0).patient == patient


@pytest.mark.parametrize("stem", ["person_bacteria_1", "IM-0115", "xIM-0115-0001", "scan 7"])
def test_other_names_give_nothing(stem: str) -> None:
    found = parse_name(PurePosixPath("train", stem), 0)
    assert (found.patient, found.attributes, found.known_as) == (None, {}, "")


def test_positive_image_is_never_said_to_have_no_aetiology() -> None:
    assert parse_name(PurePosixPath("IM-0115-0001"), 1).attributes == {}


def test_a_pattern_that_a_person_gives_goes_before_those_that_are_known() -> None:
    path = PurePosixPath("train/NORMAL/IM-0115-0001")
    assert parse_name(path, 0, r"^IM-(\d+)").patient == "0115"
    assert parse_name(path, 0, r"^x-(\d+)|-(\d+)$").patient == "0001"
    assert parse_name(path, 0, EACH_FILE).patient is None
    with refused(SourceError, "train/NORMAL/IM-0115-0001", "data.patient_pattern"):
        parse_name(path, 0, r"person(\d+)")


@pytest.mark.parametrize(
    "form",
    ["p{p:03d}_{n}", "P{p}-{n:02d}", "scan {p} ({n})", "{p:05d}{s}", "c_{p}_2020_{n}", "k{p}v{n}"],
)
def test_a_number_that_comes_again_in_names_may_be_a_patient(form: str) -> None:
    names = [form.format(p=p, n=n, s="ab"[n]) for p in range(7, 30) for n in range(2)]
    with refused(SourceError, "data.patient_pattern: '^", f"data.patient_pattern: {EACH_FILE}"):
        refuse_unknown_numbers("data", paths(*names))


def test_the_pattern_that_is_proposed_finds_the_number() -> None:
    names = [f"P{p:03d}-scan_{n}" for p in range(7, 30) for n in range(3)]
    with refused(SourceError, "'^") as caught:
        refuse_unknown_numbers("data", paths(*names))
    pattern = str(caught.value).split("'^")[1].split("'")[0]
    found = {parse_name(path, 0, f"^{pattern}").patient for path in paths(*names)}
    assert found == {f"{p:03d}" for p in range(7, 30)}


@pytest.mark.parametrize(
    "names",
    [
        [f"scan_{n:04d}" for n in range(400)],
        [f"IMG_{20240101 + n % 28}_{n:06d}" for n in range(400)],
        [f"chest2020_{n}_view{n % 3}" for n in range(400)],
        [f"{n * 2654435761 % 2**64:016x}" for n in range(400)],
        [f"{n:08x}-1b2c-4d5e-8f90-{n * 7919:012x}" for n in range(400)],
    ],
    ids=["counted", "days", "views", "hashes", "uuids"],
)
def test_names_that_only_count_are_a_patient_each(names: list[str]) -> None:
    refuse_unknown_numbers("data", paths(*names))


def test_counting_that_starts_anew_in_each_folder_is_no_patient() -> None:
    both = [p for folder in ("a", "b") for p in paths(*map(str, range(50)), folder=folder)]
    refuse_unknown_numbers("data", both)
