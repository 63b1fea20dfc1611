from components.dicom.result import derived_uid, header_of, picture_uid, report_uid, tracking_uid
from tests.components.dicom.archives import radiograph

ONE, OTHER = "1.2.3", "1.2.4"
FIRST, SECOND = "a" * 64, "b" * 64


def test_the_same_picture_and_model_have_the_same_ids_and_others_others() -> None:
    made = [make(*pair) for make in (report_uid, picture_uid) for pair in (
        (ONE, FIRST), (ONE, SECOND), (OTHER, FIRST)
    )]  # fmt: skip
    assert len({*made, tracking_uid(ONE), tracking_uid(OTHER)}) == 8
    assert report_uid(ONE, FIRST) == made[0]


def test_an_id_is_a_valid_uid_made_of_a_uuid() -> None:
    for number in range(50):
        uid = derived_uid("casegate", str(number))
        assert uid.startswith("2.25.") and len(uid) <= 64 and uid[5] != "0"
        assert int(uid.removeprefix("2.25.")) >> 76 & 0xF == 5  # the version in a UUID


def test_a_header_has_what_is_wanted_and_nothing_else_of_the_source() -> None:
    source = radiograph(1, PatientBirthDate=None, InstitutionName="Rossi's clinic")
    header = header_of(source)
    assert (header.PatientBirthDate, header.PatientName) == ("", source.PatientName)
    assert "PixelData" not in header and "InstitutionName" not in header
    assert "PatientBirthDate" not in source
