"""A small trace that has one node of every kind, and names that try to break out of a format."""

from components.bundle.trace_graph import TraceBuilder, TraceGraph

AWKWARD = 'Dr. "Ö\'Neill" <script>alert(1)</script>\n; -->\u202e]'


def traced(name: str = "Dr. Lang") -> TraceGraph:
    graph = TraceBuilder()
    facts = {"state": "complete", "started": "2026-01-01T00:00:01.000Z"}
    graph.add("data", "data", "training data", sha256="ab" * 32, facts={"cases": 6})
    graph.add(
        "execution-1",
        "execution",
        "training",
        facts={**facts, "component": "Trainer", "ended": "2026-01-01T00:00:02.500Z"},
    )
    graph.add("model", "model", "candidate model", sha256="cd" * 32)
    graph.add("policy", "rule", "policy", facts={"name": "chest", "commit": None})
    graph.add("decision", "decision", "decision", facts={"verdict": "PASS"})
    graph.add("scores", "evidence", "scores")
    graph.add("code", "code", "code", facts={"commit": "ab" * 20})
    graph.add(
        "run",
        "run",
        "run",
        names=("run", "R1"),
        facts={
            "state": "released",
            "started": "2026-01-01T00:00:00Z",
            "finished": "2026-01-01T00:01:00Z",
        },
    )
    graph.add(f"person-{name}", "person", name)
    graph.add("release-7", "release", "version 7", names=("release", "7"))
    graph.tie("data", "execution-1", "read")
    graph.tie("execution-1", "model", "made by")
    graph.tie("model", "release-7", "serves")
    graph.tie("model", "scores", "scored from")
    graph.tie("scores", "decision", "taken from")
    graph.tie("policy", "decision", "judged by")
    graph.tie("decision", "release-7", "rests on")
    graph.tie("code", "run", "ran")
    graph.tie(f"person-{name}", "run", "started by")
    graph.tie("run", "release-7", "released by")
    return graph.graph("version 7", "release-7")
