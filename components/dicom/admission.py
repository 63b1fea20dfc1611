"""Which DICOM files become cases, as a person says it; imported by all that reads settings."""

from dataclasses import dataclass

ABSENT = "ABSENT"
# Shown as they are; whatever else stands in an element may be a name.
_KNOWN = """
    CR CT DX IO KO MG MR NM OT PR PT PX RF RG SR US XA AP PA LL RL LLD RLD LLO RLO LATERAL LAO RAO
    CHEST ABDOMEN ANKLE ARM BREAST CSPINE ELBOW EXTREMITY FEMUR FOOT HAND HIP KNEE LEG LSPINE NECK
    PELVIS SHOULDER SKULL SPINE TSPINE WRIST
"""


@dataclass(frozen=True)
class Admission:
    """Which pictures become cases, and how they are read; the settings under `data.dicom`.

    Attributes:
      modalities, body_parts, views: what is admitted, in capitals; ABSENT admits files without.
      attributes: keywords of further elements to slice by.
      burned_in: whether pictures that may show a name are admitted.
      labels: a table of labels; empty for the one in the folder.
      unchanged: "hashes" reads every file again to see whether it changed; "times" trusts its
        size and time.
    """

    modalities: tuple[str, ...] = ("CR", "DX")
    body_parts: tuple[str, ...] = ("CHEST",)
    views: tuple[str, ...] = ("PA", "AP")
    attributes: tuple[str, ...] = ()
    burned_in: bool = False
    labels: str = ""
    unchanged: str = "hashes"

    @property
    def words(self) -> frozenset[str]:
        """Code words that are shown as they are."""
        return frozenset(_KNOWN.split()).union(self.modalities, self.body_parts, self.views)
