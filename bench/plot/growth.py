"""Draws what `bench/run growth` has printed: growth.py < growth.md > docs/growth.svg"""

import io
import sys

import matplotlib

matplotlib.use("svg")
# The same numbers give the same file.
matplotlib.rcParams["svg.hashsalt"] = "growth"
import matplotlib.pyplot as plt  # noqa: E402


def table(lines, head):
    """The rows of numbers below the line that begins with `head`."""
    at = next((i for i, line in enumerate(lines) if line.startswith(head)), None)
    if at is None:
        sys.exit(f"no table `{head}`: give me what `bench/run growth` has printed")
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([float(cell) for cell in line.strip().strip("|").split("|")])
    return rows


def draw(axes, rows, column, names, what, color):
    bars = axes.bar(names, [row[column] for row in rows], color=color, width=0.55)
    axes.bar_label(bars, fmt=lambda value: f"{value:,.0f}" if value > 100 else f"{value:.2f}")
    axes.set_title(what, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.15)


def main():
    lines = sys.stdin.read().splitlines()
    workers, rows = table(lines, "| workers |"), table(lines, "| rows of the journal |")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    draw(left, workers, 1, [f"{row[0]:.0f}" for row in workers], "W2, durable steps a second", "#4472a8")
    left.set_xlabel("worker processes, all on the same two cores")
    draw(right, rows, 1, [f"{row[0]:,.0f}" for row in rows], "added to a step, ms", "#a86b44")
    right.set_xlabel("rows of the journal")
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    sys.stdout.write(svg.getvalue())


main()
