"""Figures made up for the tests of what is reckoned and written from them."""

from dataclasses import replace

from tests.bench.figures import (
    CasegateRun,
    DataFigures,
    Figures,
    GateCommand,
    Judging,
    PlainRun,
    StockRun,
    component_times,
)

LINES = (
    "2026-01-31 10:15:00.1: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary",
    "inputs                0.3 s  done    ",
    "import TFX            6.2 s  done    ",
    "Trainer               8.4 s  done    epoch 9/12  loss 0.312  tuning AUC 0.953",
    "Evaluator             4.0 s  done    ",
    "CandidateScorer       0.5 s  done    ",
    "Pusher                0.1 s  cached  ",
)


def casegate_run(**changes: object) -> CasegateRun:
    run = CasegateRun(
        seconds=30.0,
        unchanged_seconds=1.5,
        peak_mib=900.0,
        components=component_times(LINES),
        verdict="INCONCLUSIVE",
        cases=2000,
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def figures(**changes: object) -> Figures:
    """A whole run of 30 s over plain Keras in 14 s and an import in 6 s: a ratio of 1.5."""
    data = DataFigures(
        name="phantom",
        casegate=(casegate_run(),),
        plain=(PlainRun(seconds=14.0, fit_seconds=5.0, epochs=12),),
        stock=(StockRun(seconds=25.0, records_seconds=9.0, pushed=True),),
    )
    made = Figures(
        machine="Some CPU",
        cores=2,
        load=0.1,
        date="2026-01-31",
        versions={"python": "3.10.13", "tfx": "1.16.0"},
        repeat=1,
        help_seconds=(0.2, 0.3, 0.1),
        import_seconds=(6.5, 6.0, 5.5),
        public_import_seconds=(9.0,),
        without_bigquery_seconds=(5.0,),
        data=(data,),
        judging=(Judging(20_000, 2.0, 1.5, 15.0, 1.0, 0.4, 600.0),),
        gate=(GateCommand(1000, (0.7, 0.8, 0.6), 90.0), GateCommand(1_000_000, (16.0,), 830.0)),
    )
    return replace(made, **changes)  # type: ignore[arg-type]
