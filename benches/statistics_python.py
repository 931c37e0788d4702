"""Times scikit-learn and relplot on the rows that benches/statistics.rs wrote.

usage: statistics_python.py FOLDER ROWS...     needs: scikit-learn relplot

Prints {"packages": {name: version}, "seconds": {what: {rows: seconds}}}; the best of several rounds counts.
"""

import importlib.metadata
import json
import pathlib
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import numpy as np
import relplot
from scipy.special import logit
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression


def best(rounds, work):
    """The best of several rounds, in seconds."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main():
    folder, sizes = pathlib.Path(sys.argv[1]), sys.argv[2:]
    seconds = {"isotonic": {}, "platt": {}, "smece": {}}
    for size in sizes:
        scores = np.fromfile(folder / f"{size}.scores", dtype="<f8")
        outcomes = np.fromfile(folder / f"{size}.outcomes", dtype=np.uint8).astype(np.int64)
        seconds["isotonic"][size] = best(
            3, lambda: IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, outcomes)
        )
        seconds["platt"][size] = best(
            3, lambda: _SigmoidCalibration().fit(logit(np.clip(scores, 1e-12, 1 - 1e-12)), outcomes)
        )
        seconds["smece"][size] = best(3, lambda: relplot.smECE(scores, outcomes))
    names = ("scikit-learn", "relplot", "numpy", "scipy")
    packages = {name: importlib.metadata.version(name) for name in names}
    json.dump({"packages": packages, "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
