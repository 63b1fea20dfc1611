"""The settings: frozen dataclasses, with the limits that pydantic checks.

`schemas/config.json` is made of them, too. pydantic takes longer to import than `casegate --help`
takes in all, so a limit is written here without it.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from components.cases.labels import plain
from components.cases.patients import EACH_FILE
from components.cases.reading import Reading
from components.dicom.admission import Admission
from components.records.errors import suggestion

if TYPE_CHECKING:
    pass


class Limits:
    """What pydantic checks of a setting beside its type, by the names that its core gives it.

    None is ever converted: neither "3" nor true is a number.
    """

    def __init__(self, *, strict: bool = True, **limits: float | str) -> None:
        self.rules = {"strict": strict, **limits}

    def __get_pydantic_core_schema__(
        self, kind: Any, handler: Callable[[Any], Mapping[str, Any]]
    ) -> dict[str, Any]:
        return {**handler(kind), **self.rules}


FOLDER_NAME = r"^[^./][^/]*$"
WEB_ADDRESS = r"^https?://"
CODE = r"^\S{1,16} \S{1,16} \S.{0,63}$"
PEER = r"^[^@]+@.+:\d+$"
AE_TITLE = r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$"
NETWORKS = ("small", "efficientnet_lite0", "efficientnet_b0")
DOTTED_PATH = r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*"

Text = Annotated[str, Limits()]
FolderName = Annotated[str, Limits(pattern=FOLDER_NAME)]
Flag = Annotated[bool, Limits()]
Count = Annotated[int, Limits(ge=0)]
Positive = Annotated[int, Limits(ge=1)]
Retries = Annotated[int, Limits(ge=0, le=10)]
# A class may be called 1; YAML's yes and no are no words, and have to stand in quotes.
Word = Annotated[str, Limits(strict=False, coerce_numbers_to_str=True)]
Texts = tuple[Text, ...]
Channels = Annotated[tuple[Positive, ...], Limits(strict=False, min_length=1, max_length=6)]
Export = Literal["tflite_int8", "tflite_float16", "tflite_float", "tfjs"]
Notice = Literal["released", "blocked", "inconclusive", "failed", "drift", "nothing_new"]


class Section:
    """Keys of the configuration, any other of which is refused; the schema has the text below each.

    Only `make schemas` reads these texts: pydantic looks for them in the source, which takes time.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}


@dataclass(frozen=True)
class ColumnsConfig(Section):
    """Which columns of a manifest.csv mean what, where they are not called so."""

    path: Text | None = None
    """The column with the path of the image; null takes `path`."""
    label: Text | None = None
    """The column with the label; null takes `label`."""
    case_id: Text | None = None
    """The column with the id of the case; null takes `case_id`, if there is one."""
    patient: Text | None = None
    """The column with the id of the patient; null takes `patient_id`, if there is one."""
    split: Text | None = None
    """The column with the split; null takes `split`, if there is one."""
    ignore: Texts = ()
    """Columns that are not read."""
    attributes: Texts = ()
    """Columns to slice by although their names look like those of a patient, a split or a label."""


@dataclass(frozen=True)
class DicomConfig(Section):
    """How DICOM files are read."""

    modalities: Texts = Admission.modalities
    """Which Modality becomes a case; what else is there is left out and counted."""
    body_parts: Texts = Admission.body_parts
    """Which BodyPartExamined becomes a case; ABSENT admits files without one."""
    views: Texts = Admission.views
    """Which ViewPosition becomes a case; ABSENT admits files without one."""
    attributes: Texts = ()
    """Keywords of further elements to slice by; those that identify a patient are refused."""
    burned_in: Flag = False
    """Whether pictures are admitted that say that a name may be burned into them."""
    labels: Text = ""
    """CSV file of labels; empty takes `labels.csv` in the folder, or its `manifest.csv`."""
    unchanged: Literal["hashes", "times"] = "hashes"
    """How a file counts as unchanged: hashes, every byte is read again; times, its name, size and
    time are those of the last run."""


@dataclass(frozen=True)
class DataConfig(Section):
    """What is trained on."""

    source: Text = "phantom"
    """Where training and tuning cases come from; with `{SPAN}` or `{SPAN:4}` in a path, the spans
    that are there, in the order of their numbers."""
    window: Literal["expanding", "rolling"] = "expanding"
    """Which spans are trained on: expanding, all of them; rolling, the newest."""
    window_spans: Positive = 4
    """How many spans the rolling window holds."""
    drift: Literal["stop", "report"] = "stop"
    """What a shift against the last span or the released model's data does: stop, nothing is
    trained; report, it is written down and the gate decides."""
    skip_bad_cases: Count = 0
    """How many unusable cases are tolerated, and listed, before the run stops."""
    odd_pictures: Literal["stop", "report"] = "report"
    """What a picture does that looks as none of its kind should, such as an inverted one: stop,
    nothing is trained; report, it is named in the report."""
    exif_orientation: Literal["refuse", "apply"] = "refuse"
    """What becomes of an image whose EXIF data say that it is shown turned: refuse, it is unusable;
    apply, it is turned before anything sees it."""
    labels: dict[Word, Literal[0, 1, "out"]] | None = None
    """What every class folder, or every label of a manifest, means: 0 negative, 1 positive, out
    left out. null takes only names that everybody knows, such as NORMAL and PNEUMONIA."""
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    patient_pattern: Text | None = None
    """What in a file's name is the patient: a regular expression whose first group it is, or
    `each_file` where every file is a patient of its own; null knows the names of published sets."""
    tune_from_train: Annotated[float, Limits(gt=0, lt=1)] | None = None
    """Share of the training patients to tune on, by a hash of their id. A `val/` beside `train/` is
    then left out, and what a manifest has to tune on is divided along; null takes what the data
    have to tune on, or a fifth."""
    dicom: DicomConfig = field(default_factory=DicomConfig)

    def __post_init__(self) -> None:
        words: dict[str, str] = {}
        for word in self.labels or ():
            other = words.setdefault(plain(word), word)
            if other != word:
                raise ValueError(f"labels: got '{other}' and '{word}', which are one word")
        try:
            if self.patient_pattern in (None, EACH_FILE) or re.compile(self.patient_pattern).groups:
                return
            fault = ""
        except re.error as error:
            fault = f" ({error})"
        raise ValueError(
            f"patient_pattern: got {self.patient_pattern!r}{fault}, wanted {EACH_FILE} or a "
            "regular expression with the patient in parentheses"
        )

    @property
    def reading(self) -> Reading:
        """What these settings say of how names are read."""
        named = dataclasses.asdict(self.columns)
        lists = {name: named.pop(name) for name in ("ignore", "attributes")}
        return Reading(
            labels=tuple((w, None if at == "out" else at) for w, at in (self.labels or {}).items()),
            columns=tuple((role, column) for role, column in named.items() if column is not None),
            patient_pattern=self.patient_pattern,
            tune_from_train=self.tune_from_train,
            dicom=Admission(**vars(self.dicom)),
            **lists,
        )


@dataclass(frozen=True)
class CaseSetConfig(Section):
    """What judges."""

    source: Text | None = None
    """Where the case set's images come from; null takes the test split of the data."""
    baseline: FolderName | None = None
    """Which folder of the baselines judges; null takes the source's own name."""
    directory: Text | None = None
    """The folder that holds baselines; null takes the one shipped here, else the workspace's."""


@dataclass(frozen=True)
class ModelConfig(Section):
    """The network and its training."""

    network: Text = "small"
    """`small`, `efficientnet_lite0`, `efficientnet_b0`, or your own: `package.module:function`."""
    options: dict[Text, Any] | None = None
    """What the network's own function takes beside these settings."""
    saved_model: Text | None = None
    """Folder of a SavedModel that was trained elsewhere: it is judged, and nothing is trained."""
    image_size: Annotated[int, Limits(ge=16, le=1024)] = 64
    """Side of the network's input, in pixels."""
    filters: Channels = (8, 16, 32, 64)
    """Channels of each strided convolution of `small`, each of which halves the image."""
    dropout: Annotated[float, Limits(ge=0, lt=1)] = 0.2
    """Share of the features that training leaves out at random."""
    learning_rate: Annotated[float, Limits(gt=0, lt=1)] = 0.003
    """At the start; it falls to nothing over the planned epochs."""
    batch_size: Annotated[int, Limits(ge=1, le=4096)] = 64
    """Images in one step of training."""
    epochs: Annotated[int, Limits(ge=1, le=10000)] = 20
    """At most this many. The learning rate falls to nothing over all of them: models that are
    stopped before lie further apart."""
    head_epochs: Positive = 20
    """As `epochs`, of each phase but the last, for a network that is trained in phases."""
    patience: Positive = 20
    """Epochs without a better tuning AUC before training stops."""
    augment: Flag = True
    """Whether training images are shifted, turned, zoomed and exposed anew a little."""
    target_sensitivity: Annotated[float, Limits(gt=0, lt=1)] = 0.95
    """What the operating point aims at on the tuning split."""
    least_tuning_positives: Positive = 20
    """With fewer positive tuning cases nothing is trained: too few choose no operating point."""
    seed: Annotated[int, Limits(ge=0, lt=2**31)] = 20
    """Of everything random in training."""

    def __post_init__(self) -> None:
        if self.network not in NETWORKS and not re.fullmatch(DOTTED_PATH, self.network):
            known = suggestion(self.network, [*NETWORKS, "package.module:function"])
            raise ValueError(f"network: got {self.network!r}, wanted a network{known}")
        if self.saved_model is not None and self.network != "small":
            raise ValueError(f"saved_model: got one beside network {self.network!r}, wanted either")
        if self.network == "small" and self.image_size >> len(self.filters) < 2:
            raise ValueError(
                f"filters: got {list(self.filters)}, wanted an image of at least 2 pixels after "
                "halving once for each"
            )


@dataclass(frozen=True)
class ServingConfig(Section):
    """Where releases go."""

    model_name: FolderName = "pneumonia"
    """The folder that TensorFlow Serving serves under this name."""
    directory: Text | None = None
    """Where releases go; null takes `serving/` in the workspace."""
    release: Flag = True
    """Whether a candidate that passes is released; a check of a commit releases nothing."""


@dataclass(frozen=True)
class ServerConfig(Section):
    """How `casegate serve` answers."""

    batch_size: Positive = 32
    """Images that the model is given at once, at most; a request with more goes by itself."""
    batch_delay_ms: Annotated[float, Limits(ge=0)] = 2.0
    """How long images wait for others while the model is busy."""
    queue: Positive = 512
    """Images that may wait, and that a request may have; one that comes on top is refused."""
    timeout_seconds: Annotated[float, Limits(gt=0)] = 10.0
    """After which a request is given up, where its client names no sooner deadline."""
    max_bytes: Annotated[int, Limits(ge=1000)] = 33_554_432
    """Largest body of a request."""
    max_pixels: Positive = 50_000_000
    """Of the images of a request, and of a batch, together; the model needs 12 bytes for each."""
    log_mebibytes: Annotated[int, Limits(ge=4)] = 1024
    """What the prediction log keeps; its oldest files are removed above it."""


@dataclass(frozen=True)
class SigningConfig(Section):
    """Whose signatures a release needs."""

    unsigned: Flag = False
    """Whether a release that nobody signed is allowed; it is marked as such for ever."""
    keys: Text | None = None
    """Folder of the public keys that count, `NAME.pub.pem`; null takes `keys/` beside the policy
    that judges."""
    threshold: Positive = 1
    """How many of these keys have to have signed."""


@dataclass(frozen=True)
class BeamConfig(Section):
    """Where components run."""

    engine: Literal["direct", "portable", "flink"] = "direct"
    """direct, in this process; portable, by the job server at `job_endpoint`; flink, on the cluster
    at `flink_master`."""
    job_endpoint: Text | None = None
    """HOST:PORT of a running job server of Beam's; for portable."""
    flink_master: Text | None = None
    """HOST:PORT of Flink's job manager; for flink."""
    flink_job_server_jar: Text | None = None
    """Beam's job server for that version of Flink, of this Beam's version or newer; for flink."""
    parallelism: Positive = 2
    """How many workers Flink divides the work among."""
    environment: Literal["loopback", "pool", "process"] = "loopback"
    """Who does a component's work: loopback, this process; pool, the workers of `worker_pool`;
    process, a process that each task manager starts by itself."""
    worker_pool: Text = "127.0.0.1:50000"
    """HOST:PORT of a `casegate worker pool`, as each task manager reaches it."""
    score_from_cases: Count = 200_000
    """From how many cases on scoring is divided among workers, on another engine than direct; fewer
    are scored sooner by the run itself. 0 divides never."""
    pipeline_args: Texts = ()
    """Passed to Beam unchanged, after what the settings above come to."""


@dataclass(frozen=True)
class RetrainingConfig(Section):
    """Limits of `casegate retrain`."""

    timeout_minutes: Positive = 720
    """A retraining that lasts longer is ended, and not tried again."""
    memory_gib: Annotated[float, Limits(gt=0)] | None = None
    """One that needs more is ended; null leaves it to the machine."""
    free_disk_gib: Annotated[float, Limits(ge=0)] = 5.0
    """Less than this free in the workspace, and none is started."""
    retries: Retries = 2
    """How often one that ended by an internal error or a signal is tried again."""
    retry_wait_seconds: Count = 60
    """Before the first retry; doubled before each further one."""


@dataclass(frozen=True)
class RetentionConfig(Section):
    """What `casegate prune` leaves."""

    keep_runs: Positive = 10
    """The newest runs, whose intermediate files stay whatever their age."""
    keep_days: Count = 30
    """How long those of older runs stay."""


@dataclass(frozen=True)
class ScheduleConfig(Section):
    """When `casegate schedule` retrains."""

    cron: Text = "0 3 * * 1"
    """When to retrain: five fields, in UTC."""


@dataclass(frozen=True)
class WebhookConfig(Section):
    """Notices by HTTP."""

    url: Annotated[str, Limits(pattern=WEB_ADDRESS)] | None = None
    """Where a notice is posted as JSON; null posts none."""
    secret_file: Text | None = None
    """File with the secret that signs it; null takes CASEGATE_WEBHOOK_SECRET."""


@dataclass(frozen=True)
class SmtpConfig(Section):
    """Notices by mail."""

    host: Text | None = None
    """The mail server; null sends no mail."""
    port: Annotated[int, Limits(ge=1, le=65535)] = 25
    """Of the mail server."""
    security: Literal["none", "starttls", "tls"] = "starttls"
    """How the connection is encrypted."""
    user: Text | None = None
    """Whom the mail server asks for a password; null asks for none."""
    password_file: Text | None = None
    """File with the password; null takes CASEGATE_SMTP_PASSWORD."""
    sender: Text = "casegate@localhost"
    """Whom the mail is from."""
    to: Texts = ()
    """Who gets the mail."""

    def __post_init__(self) -> None:
        if self.host is not None and not self.to:
            raise ValueError("to: got [], wanted at least one address, as host is set")


@dataclass(frozen=True)
class NotifyConfig(Section):
    """Who is told of what, and how."""

    about: tuple[Notice, ...] = get_args(Notice)
    """Of what a person is told."""
    command: Texts = ()
    """Program and arguments that get the notice as JSON on their standard input."""
    retries: Retries = 3
    """How often a failed delivery is tried again, with growing pauses."""
    repeat_after_minutes: Count = 60
    """How soon the same notice may be sent again."""
    webhook: WebhookConfig = field(default_factory=WebhookConfig)
    smtp: SmtpConfig = field(default_factory=SmtpConfig)


@dataclass(frozen=True)
class MonitoringConfig(Section):
    """How `casegate monitor` compares what is served with the model's own data."""

    log: Text | None = None
    """File or folder of prediction logs; null takes `predictions/` in the workspace."""
    alpha: Annotated[float, Limits(gt=0, lt=0.5)] = 0.01
    """How often a report on undrifted cases may raise a false alarm."""
    min_cases: Annotated[int, Limits(ge=30)] = 200
    """With fewer in a window, the answer is that there are not enough data."""
    window_days: Positive = 7
    """Length of the window that is judged, counted back from the newest prediction."""
    malformed_lines: Count = 0
    """How many unusable lines of a log are tolerated, and listed."""
    retrain: Flag = False
    """Whether a breach starts a retraining."""
    cooldown_days: Count = 7
    """How long after one the next breach starts none."""


@dataclass(frozen=True)
class FeedbackConfig(Section):
    """What readers say of served cases."""

    readers: Positive = 2
    """How many readers have to agree before a case counts as adjudicated."""
    requests_per_minute: Positive = 60
    """What one client may send to the endpoint."""
    max_bytes: Annotated[int, Limits(ge=1000)] = 1_000_000
    """Largest body of a request."""


@dataclass(frozen=True)
class CiConfig(Section):
    """What `casegate ci` judges a commit on.

    Patterns take `*` within a folder and `**` across folders; a change that fits none of them
    needs a full run.
    """

    source: Text | None = None
    """Where the images of the development case set come from."""
    baseline: FolderName | None = None
    """The folder of the baselines that judges commits; null judges them on the locked set."""
    directory: Text | None = None
    """The folder that holds baselines; null takes the one shipped here."""
    registry: Text | None = None
    """Folder, or s3:// or gs:// address, with what is released; null reads only baselines."""
    docs: Texts = ("**/*.md", "docs/**", "LICENSE", ".gitignore")
    """Patterns of changed paths that need nothing."""
    data: Texts = ("data/**",)
    """Patterns of changed paths that are data, and need a full run."""
    judging: Texts = ("baselines/**",)
    """Patterns of changed paths that need judging anew, without training."""
