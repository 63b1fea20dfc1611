from components.lineage.graph import READ, WROTE, ArtifactNode, EventEdge, ExecutionNode, Graph


def graph() -> Graph:
    """1 -> [10] -> 2 -> [11] -> 3; and 4 -> [12], which nothing else knows."""
    reads, writes = {11: [2], 12: [], 10: [1], 13: []}, {10: 2, 11: 3, 12: 5, 13: 4}
    events = [EventEdge(e, a, READ, "in") for e, many in reads.items() for a in many]
    events += [EventEdge(e, a, WROTE, "out") for e, a in writes.items()]
    return Graph(
        tuple(ExecutionNode(i, "t", f"c{i}", "complete", 0, 1, {}) for i in (10, 11, 12, 13)),
        tuple(ArtifactNode(i, "t", None, f"/{i}", "live", 0, {}) for i in (1, 2, 3, 4, 5)),
        tuple(events),
    )


def test_what_led_to_an_artifact_and_nothing_else() -> None:
    behind = graph().behind([3])
    assert [a.id for a in behind.artifacts] == [1, 2, 3]
    assert [e.id for e in behind.executions] == [10, 11]
    assert {(v.execution_id, v.artifact_id) for v in behind.events} == {
        (10, 1), (10, 2), (11, 2), (11, 3),
    }  # fmt: skip


def test_a_circle_ends() -> None:
    both = graph()
    circle = Graph(both.executions, both.artifacts, (*both.events, EventEdge(10, 3, READ, "in")))
    assert [a.id for a in circle.behind([3]).artifacts] == [1, 2, 3]


def test_the_hash_is_of_every_value() -> None:
    one = graph()
    other = Graph(one.executions, one.artifacts, one.events[1:])
    assert one.sha256 == graph().sha256 != other.sha256
