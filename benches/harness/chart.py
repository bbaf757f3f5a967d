"""The overview as bars: how many times every peer takes what Tilde takes."""

import statistics
from pathlib import Path

from harness.verdicts import QUANTITIES, ratios
from harness.workloads import FLAGS, Workload

COLOURS = {"jax-scan": "#1b6ca8", "jax-jit": "#7fb2d9", "torch-eager": "#d1603d", "torch-compile": "#eab08d", "sklearn": "#6a994e"}


def draw(workloads: dict[str, Workload], entries: dict[str, dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = {name: entry["systems"] for name, entry in entries.items() if name in workloads and entry["systems"].get("tilde")}
    if not shown:
        return
    figure, axes = plt.subplots(2, 2, figsize=(13, 8.5), layout="constrained")
    for axis, (key, title) in zip(axes.flat, QUANTITIES.items()):
        for place, systems in enumerate(shown.values()):
            values = {peer: ratios(systems[peer], systems["tilde"], key) for peer in FLAGS if peer in systems}
            values = {peer: found for peer, found in values.items() if found and min(found) > 0}
            width = 0.8 / max(len(values), 1)
            for i, (peer, found) in enumerate(values.items()):
                middle = statistics.median(found)
                error = [[middle - min(found)], [max(found) - middle]]
                left = place + (i - (len(values) - 1) / 2) * width
                # Up from 1 where the peer takes longer, down where Tilde does.
                axis.bar(left, middle - 1, width, bottom=1, yerr=error, color=COLOURS[peer], error_kw={"lw": 0.8})
        axis.axhline(1, color="black", lw=0.8)
        axis.set(yscale="log", title=f"{title}: times Tilde's")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_xticks(range(len(shown)), shown, rotation=25, ha="right")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    figure.legend(handles, COLOURS, loc="outside lower center", ncols=len(COLOURS), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
