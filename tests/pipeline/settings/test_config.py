import subprocess
import sys
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.settings.config import CONFIGS, Config, load_config, shipped_config
from tests.refusing import refused


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_and_no_setting_give_the_defaults() -> None:
    assert load_config(None) == Config()


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "# nothing yet\n")) == Config()


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    text = "owner: ward 3\nmodel: {filters: [4, 8], dropout: 0}\nbeam: {pipeline_args: [--x=1]}\n"
    config = load_config(written(tmp_path, text))
    assert config.owner == "ward 3"
    assert config.model.filters == (4, 8) and config.model.epochs == Config().model.epochs
    assert config.model.dropout == 0.0 and isinstance(config.model.dropout, float)
    assert config.beam.pipeline_args == ("--x=1",)


def test_a_setting_overrides_the_file_and_the_last_one_wins(tmp_path: Path) -> None:
    path = written(tmp_path, "model: {epochs: 3, patience: 2}\n")
    config = load_config(path, ["model.epochs=5", "model.epochs=6", "owner=ward 3"])
    assert (config.model.epochs, config.model.patience, config.owner) == (6, 2, "ward 3")


def test_a_setting_may_give_null() -> None:
    assert load_config(None, ["case_set.baseline=chest"]).case_set.baseline == "chest"
    assert load_config(None, ["case_set.baseline=null"]).case_set.baseline is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: {}", "unknown key 'modle'; did you mean 'model'"),
        ("model: {epoch: 3}", "unknown key 'model.epoch'; did you mean 'epochs'"),
        ("1: 2", "unknown key '1'; known: beam, case_set"),
        ("exports: [tflite]", "exports.0: got 'tflite', wanted 'tflite_int8'"),
        ("exports: [tfjs, tfjs]", "exports: got ['tfjs', 'tfjs'], wanted each form once"),
        ("model: 3", "model: got 3, wanted keys with values"),
        ("model:", "model: got None, wanted keys with values"),
        ("- model", "got list, wanted keys with values"),
        ("owner: [a", "run.yaml:1: not valid YAML"),
        ("owner: x\nmodel: {epochs: 3\n", "run.yaml:3: not valid YAML"),
        ("owner: x\nserving: {release: no}", "run.yaml:2: got no"),
        ("owner: !!python/name:os.system", "run.yaml:1: got tag"),
        ("owner: " + "[" * 600, "not valid YAML"),
        ("model: {epochs: 3}\nowner: x\nmodel: {}", "run.yaml:3: key 'model' stands twice"),
        ("model:\n  seed: 1\n  seed: 2", "run.yaml:3: key 'seed' stands twice"),
        ("owner: &a x\nmodel: *a", "run.yaml:2: got alias '*a'"),
        ("model: {dropout: .nan}", "run.yaml:1: got .nan"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    with refused(ConfigError, "run.yaml", message):
        load_config(written(tmp_path, text))


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_bytes(b"\xff\xfe\x00")])
def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "run.yaml")
    with refused(ConfigError, "run.yaml: "):
        load_config(tmp_path / "run.yaml")


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("model.epochs=3.5", "got 3.5, wanted a whole number"),
        ("model.epochs=true", "got True, wanted a whole number"),
        ("model.epochs=many", "got 'many', wanted a whole number"),
        ("model.dropout=true", "got True, wanted a number"),
        ("model.augment=1", "got 1, wanted true or false"),
        ("owner=3", "got 3, wanted text"),
        ("owner=", "got None, wanted text"),
        ("case_set.source=3", "got 3, wanted text or null"),
        ("model.filters=8", "got 8, wanted a list"),
        ("model.network=smal", "got 'smal', .*; did you mean 'small'"),
        ("model.network=ward.nets", "got 'ward.nets', .*package.module:function"),
        ("model.network='ward.2:build'", "got 'ward.2:build', .*package.module:function"),
        ("model.options=[3]", "got .*, wanted keys with values"),
        ("model.options={rate: .nan}", "got .nan, wanted a number"),
        ("model.filters=[8, true]", "got True, wanted a whole number"),
        ("beam.pipeline_args=[1]", "got 1, wanted text"),
    ],
)
def test_a_value_of_another_type_is_refused(setting: str, wanted: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"{setting.partition('=')[0]}(\.\d|=[^:]+: \S+)?: {wanted}"
    ):
        load_config(None, [setting])


@pytest.mark.parametrize(
    "setting",
    [
        "model.image_size=15",
        "model.image_size=1025",
        "model.filters=[]",
        "model.filters=[8, 0]",
        "model.filters=[1, 2, 3, 4, 5, 6, 7]",
        "model.filters=[8, 8, 8, 8, 8, 8]",
        "model.dropout=1",
        "model.dropout=.nan",
        "model.learning_rate=0",
        "model.learning_rate=.inf",
        "model.batch_size=0",
        "model.epochs=0",
        "model.patience=0",
        "model.seed=-1",
        "model.target_sensitivity=1",
        "data.skip_bad_cases=-1",
        "serving.model_name=''",
        "serving.model_name=../chest",
        "serving.model_name=.hidden",
        "case_set.baseline=a/b",
        "case_set.baseline=..",
    ],
)
def test_a_value_out_of_range_is_refused(setting: str) -> None:
    name = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"{name}(\.\d|=[^:]+)?: got .+, wanted"):
        load_config(None, [setting])


@pytest.mark.parametrize(
    "setting",
    [
        "model.image_size=1024",
        "model.dropout=0",
        "model.network=ward.nets:build",
        "model.filters=[8, 8, 8, 8, 8]",
        "model.seed=0",
    ],
)
def test_a_value_at_the_edge_of_its_range_is_taken(setting: str) -> None:
    assert load_config(None, [setting]) != Config()


@pytest.mark.parametrize(
    "setting", ["model.epochs", "=3", "model.epochs=[", "owner=yes", "owner={a: 1, a: 2}"]
)
def test_a_malformed_setting_is_named(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [setting])
    assert str(caught.value).startswith(f"--set {setting}: ")


def test_a_setting_below_a_value_is_refused() -> None:
    with refused(ConfigError, "--set owner.name=3: ", "'owner'"):
        load_config(None, ["owner=ward", "owner.name=3"])


@pytest.mark.parametrize(
    "setting",
    [
        "data.window=sliding",
        "data.window_spans=0",
        "data.drift=ignore",
        "retraining.timeout_minutes=0",
        "retraining.memory_gib=0",
        "retraining.free_disk_gib=-1",
        "retraining.free_disk_gib=.nan",
        "retraining.retries=11",
        "retraining.retry_wait_seconds=-1",
        "retention.keep_runs=0",
        "retention.keep_days=-1",
        "notify.about=[released, rejoiced]",
        "notify.retries=-1",
        "notify.repeat_after_minutes=-1",
        "notify.webhook.url=ftp://example.org",
        "notify.smtp.port=0",
        "notify.smtp.security=ssl",
        "notify.smtp.host=mail.example.org",
        "monitoring.alpha=0",
        "monitoring.alpha=0.5",
        "monitoring.alpha=.nan",
        "monitoring.min_cases=29",
        "monitoring.window_days=0",
        "monitoring.malformed_lines=-1",
        "monitoring.cooldown_days=-1",
        "feedback.readers=0",
        "feedback.requests_per_minute=0",
        "feedback.max_bytes=999",
        "ci.baseline=../elsewhere",
    ],
)
def test_a_setting_around_a_run_out_of_range_is_refused_by_its_name(setting: str) -> None:
    section = ".".join(setting.partition("=")[0].split(".")[:2])
    with pytest.raises(ConfigError, match=section):
        load_config(None, [setting])


def test_what_is_around_a_run_changes_nothing_that_decides() -> None:
    around = ("notify.retries=1", "retention.keep_runs=3", "ci.registry=models", "owner=unnamed")
    around += ("training.wait_minutes=3",)
    plain, told = load_config(None), load_config(None, around)
    assert plain.sha256() != told.sha256()
    assert plain.deciding_sha256() == told.deciding_sha256()
    for setting in ("model.seed=1", "data.window=rolling", "serving.release=false"):
        assert load_config(None, [setting]).deciding_sha256() != plain.deciding_sha256()


def test_the_hash_follows_every_setting_and_nothing_else(tmp_path: Path) -> None:
    by_file = load_config(written(tmp_path, "model: {epochs: 3}\n"))
    assert by_file.sha256() == load_config(None, ["model.epochs=3"]).sha256()
    changes = ["model.seed=1", "owner=x", "beam.pipeline_args=[a]", "serving.model_name=m"]
    hashes = {load_config(None, [change]).sha256() for change in changes}
    assert len(hashes | {Config().sha256(), by_file.sha256()}) == len(changes) + 2


@pytest.mark.parametrize("source", ["medmnist:pneumoniamnist", "data/pneumoniamnist.npz"])
def test_a_data_source_brings_the_configuration_shipped_for_it(source: str) -> None:
    assert shipped_config(source) == CONFIGS / "pneumoniamnist.yaml"


@pytest.mark.parametrize("source", ["./phantom", "/data/pneumoniamnist", "data/phantom"])
def test_a_folder_of_a_shipped_name_brings_no_configuration(source: str) -> None:
    assert shipped_config(source) is None


@pytest.mark.parametrize("source", [None, "other.npz", "first_run_policy", "phantom:n=20"])
def test_other_sources_bring_no_configuration(source: str | None) -> None:
    found = shipped_config(source)
    assert found is None or found.name == "phantom.yaml"


def test_every_shipped_configuration_is_valid() -> None:
    shipped = [path for path in CONFIGS.glob("*.yaml") if path.name != "first_run_policy.yaml"]
    assert shipped and all(load_config(path).model.epochs for path in shipped)


@pytest.mark.parametrize("module", ["pipeline.cli", "pipeline.evidence.questions.show"])
def test_what_reads_no_settings_does_not_wait_for_pydantic(module: str) -> None:
    code = f"import sys, {module}, pipeline.settings.config; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_is_said_of_names_becomes_a_reading(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "data:\n  labels: {NORMAL: 0, 1: 1, COVID: out}\n"
        "  columns: {patient: SubjectID, ignore: [fold]}\n  patient_pattern: 'p(\\d+)'\n"
    )
    reading = load_config(path, ["data.tune_from_train=0.1"]).data.reading
    assert reading.labels == (("NORMAL", 0), ("1", 1), ("COVID", None))
    assert reading.columns == (("patient", "SubjectID"),) and reading.ignore == ("fold",)
    assert (reading.patient_pattern, reading.tune_from_train) == (r"p(\d+)", 0.1)
    assert not Config().data.reading.changed


@pytest.mark.parametrize(
    ("setting", "facts"),
    [
        ("data.labels={no: 0}", ["data.labels", "quotes"]),
        ("data.labels={COVID: 2}", ["data.labels.COVID", "2"]),
        ("data.labels={COVID: null}", ["data.labels.COVID"]),
        ("data.labels={a b: 0, A_B: 1}", ["'a b'", "'A_B'"]),
        ("data.labels=3", ["data.labels", "keys with values"]),
        ("data.columns={patiant: x}", ["'data.columns.patiant'", "'patient'"]),
        ("data.patient_pattern=(", ["patient_pattern", "each_file"]),
        ("data.patient_pattern=abc", ["patient_pattern", "parentheses"]),
        ("data.tune_from_train=1", ["data.tune_from_train", "below 1"]),
    ],
)
def test_a_fault_in_what_is_said_of_names_is_named(setting: str, facts: list[str]) -> None:
    with refused(ConfigError, *facts):
        load_config(None, [setting])


def test_xla_beside_several_devices_is_refused(tmp_path: Path) -> None:
    settings = ["training.jit_compile=true"]
    assert load_config(None, settings).training.jit_compile
    for strategy in ("mirrored", "multi_worker"):
        with pytest.raises(ConfigError, match="training.jit_compile: got true"):
            load_config(None, [*settings, f"training.strategy={strategy}"])


def test_how_a_network_is_trained_can_change_a_verdict() -> None:
    mixed = load_config(None, ["training.mixed_precision=true"])
    assert mixed.deciding_sha256() != load_config(None).deciding_sha256()
