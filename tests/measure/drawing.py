"""How the pictures of the page look: a white ground, text as text, colours that all can tell.

White is drawn, not left transparent, so that black text stays legible in a dark viewer.
"""

import io
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from components.records.files import write_atomically

# Blue, grey and vermilion of Okabe and Ito's palette: told apart whatever the colour vision.
COLOURS = {"PASS": "#0072B2", "INCONCLUSIVE": "#C8C8C8", "FAIL": "#D55E00"}
LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D")
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "casegate",
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def save(figure: Figure, path: Path) -> None:
    """The same figure gives the same bytes."""
    stream = io.BytesIO()
    with plt.rc_context(STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = "\n".join(line.rstrip() for line in stream.getvalue().decode().splitlines())
    write_atomically(path, f"{text}\n".encode())


def verdict_legend(figure: Figure) -> None:
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    figure.legend(handles, list(COLOURS), loc="upper center", ncols=3, frameon=False)
