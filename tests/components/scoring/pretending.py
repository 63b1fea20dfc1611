"""A program that speaks as `serving_session` does, without TensorFlow: it starts at once.

The probability is the size of an input in bytes over a thousand, the label whether it is 0.25 or
more. It cannot read what has `unread` in it, aborts on what has `abort`, closes its output on
`silent`, and takes a second for `slow`. A model with a file `broken` cannot be loaded.
"""

import json
import os
import struct
import sys
import time
from pathlib import Path

LEAST = 0.25


def answer(request, inputs):
    if any(b"slow" in content for content in inputs):
        time.sleep(1)
    if any(b"silent" in content for content in inputs):
        os.close(1)
        time.sleep(60)
    if any(b"abort" in content for content in inputs):
        print("Check failed: rank", file=sys.stderr, flush=True)
        os.abort()
    unread = [b"unread" in content for content in inputs]
    if any(unread) and not request["spared"]:
        return json.dumps({"fault": "no picture", "milliseconds": 0.1, "count": 0}).encode() + b"\n"
    scores = [float("nan") if bad else len(c) / 1000 for c, bad in zip(inputs, unread)]
    labels = [-1 if bad else int(score >= LEAST) for score, bad in zip(scores, unread)]
    head = {"fault": None, "milliseconds": 0.1, "count": len(inputs)}
    parts = [struct.pack(f"<{len(inputs)}f", *scores), struct.pack(f"<{len(inputs)}q", *labels)]
    if request["signature"] == "explain":
        head["map"] = [2, 3]
        parts.append(struct.pack("<6f", *[0.5] * 6) * len(inputs))
    return json.dumps(head).encode() + b"\n" + b"".join(parts)


def main():
    fault = "cannot be loaded" if (Path(sys.argv[1]) / "broken").exists() else None
    out = sys.stdout.buffer
    out.write(json.dumps({"fault": fault, "loader": "pretended"}).encode() + b"\n")
    out.flush()
    for line in sys.stdin.buffer if fault is None else ():
        request = json.loads(line)
        inputs = [sys.stdin.buffer.read(size) for size in request["sizes"]]
        out.write(answer(request, inputs))
        out.flush()


if __name__ == "__main__":
    main()
