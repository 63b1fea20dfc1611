"""What each rule asks for, in words for whoever meets it for the first time."""

HELP = {
    "floor": "How good the candidate must be in itself. PASS where the lower bound reaches the "
    "floor, FAIL where even the upper bound is below it, else INCONCLUSIVE: more cases are needed.",
    "ceiling": "A value that must stay low. PASS where the upper bound is within the ceiling, FAIL "
    "where even the lower bound is above it, else INCONCLUSIVE.",
    "non_inferiority": "How much may be lost against a baseline on the same cases. PASS where the "
    "lower bound of the change is above minus the margin, FAIL where its upper bound is below.",
    "negative_flips": "The share of all cases that were right before and are wrong now has a "
    "ceiling. Every one of them is listed in the report.",
    "sentinel": "A case marked never-miss that a baseline has right must not be wrong now.",
    "latency": "How long one image may take.",
    "looks": "A fixed case set wears out with every look at it; the policy plans how many.",
    "coverage": "A slice that is judged must be among the training cases too: on few cases a model "
    "can be right by chance about a kind that it never saw.",
    "evaluator": "TensorFlow Model Analysis judges the same model from the images; it can only "
    "block.",
    "servable": "The model must answer in the loader that TensorFlow Serving uses, by both "
    "signatures, in batches and one by one, with the scores that are judged.",
    "scores": "Every locked case must be scored exactly once, with a finite number.",
    "self_test": "The gate was tried on planted inputs and gave a wrong answer: it is broken, and "
    "nothing it says can be relied on.",
    "baseline": "There must be approved golden scores, and a baseline must not be the candidate "
    "itself.",
}
