"""The phantom's sites differ as their table says, and share neither patients nor pictures."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from components.phantom.detector import DEVICES
from components.phantom.findings import AETIOLOGIES
from components.phantom.sites import SITES
from components.phantom.source import CaseDraft, PhantomSource, draft
from components.records.case import SPLITS, Case
from components.records.errors import SourceError
from tests.components.phantom.test_source import first_cases, pixels
from tests.refusing import refused


def drafts(site: str, split: str) -> list[CaseDraft]:
    """2,600 cases of 2,000 patients, none of which is drawn."""
    options = PhantomSource.parse(f"phantom:site={site}").drawn_by(split)
    return [draft(options, row) for row in range(2600)]


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", SITES)
def test_devices_prevalence_findings_and_labels_are_those_of_the_table(
    name: str, split: str
) -> None:
    site, found = SITES[name], drafts(name, split)
    devices = Counter(each.picture.device for each in found)
    aetiologies = Counter(each.picture.aetiology for each in found)
    ill = len(found) - aetiologies.pop("none")
    assert ill / len(found) == pytest.approx(0.5 * site.positives, abs=0.04)
    for shares, counted in ((site.devices, devices), (site.aetiologies, aetiologies)):
        assert set(counted) == set(shares)
        for word, tenths in shares.items():
            assert counted[word] / counted.total() == pytest.approx(tenths / 10, abs=0.07)
    assert {each.site for each in found} == {name}
    wrong = sum(each.label != int(each.picture.aetiology != "none") for each in found)
    share = site.label_noise if split == "train" else 0.0
    assert wrong / len(found) == pytest.approx(share, abs=0.03 if share else 0.0)


def test_sites_share_no_case_no_patient_and_no_picture_with_each_other_or_the_phantom() -> None:
    found: list[Case] = []
    sources = [f"phantom:site={name}" for name in SITES]
    sources += ["phantom:site=A,seed=8", "phantom:site=A,cases=development", "phantom"]
    for spec in sources:
        repeated = (
            ("tune", "train") if "development" in spec else ("test",) if "seed" in spec else ()
        )
        for split in (split for split in SPLITS if split not in repeated):
            found += first_cases(spec, split, 12)
    assert len({case.case_id for case in found}) == len(found)
    assert len({hashlib.sha256(pixels(case).tobytes()).digest() for case in found}) == len(found)
    owners: dict[str, set[str]] = {}
    for case in found:
        owners.setdefault(case.patient_id, set()).add(case.case_id.rpartition("-")[0])
    assert all(len(names) == 1 for names in owners.values())


def test_no_option_but_its_own_reaches_a_site_s_case_set() -> None:
    usual = first_cases("phantom:site=D", "test", 20)
    assert usual == first_cases("phantom:site=D,n=90,seed=4,vendor=1,positives=0.9", "test", 20)
    assert usual[0].case_id == "phantom-D-case-000000"
    source = PhantomSource.parse("phantom:cases=development,site=D")
    assert source.name == "phantom-development-D"
    assert not {case.image for case in first_cases(source.spec, "test", 20)} & {
        case.image for case in usual
    }


@pytest.mark.parametrize("name", SITES)
def test_every_site_can_do_without_any_one_device_or_finding(name: str) -> None:
    for word in (*DEVICES, *AETIOLOGIES):
        options = PhantomSource.parse(f"phantom:site={name},leave_out={word}").drawn_by("train")
        pictures = [draft(options, row).picture for row in range(200)]
        assert not [one for one in pictures if word in (one.device, one.aetiology)]


def test_the_page_says_how_the_sites_differ() -> None:
    page = Path("docs/data.md").read_text("utf-8")
    for name, site in SITES.items():
        devices = ", ".join(f"{device} {share}" for device, share in site.devices.items())
        findings = ", ".join(map(str, site.aetiologies.values()))
        shares = f"{0.5 * site.positives:.2f} | {site.label_noise:.2f}"
        assert f"| {name} | {devices} | {findings} | {shares} |\n" in page


def test_an_unknown_site_is_one_line() -> None:
    with refused(SourceError, "site: ", "'F'", "A, B, C, D, E"):
        PhantomSource.parse("phantom:site=F")
