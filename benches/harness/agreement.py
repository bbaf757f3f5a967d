"""Whether the systems compute the same: nothing is timed that does not."""

import numpy as np

from harness.workloads import Workload


def quantities(report: dict) -> np.ndarray:
    """What is compared: the loss, the first losses where all start from the same, or the moments of draws."""
    if "early" in report:
        return np.array(report["early"])
    return np.hstack([report["mean"], np.ravel(report["covariance"])]) if "mean" in report else np.array([report["loss"]])


def disagreement(reports: dict[str, dict]) -> float:
    """The greatest difference between two systems."""
    table = np.stack([quantities(report) for report in reports.values()])
    return float((table.max(0) - table.min(0)).max())


def summary(workload: Workload, reports: dict[str, dict]) -> dict:
    """Of one report for each system; of none that started elsewhere."""
    if workload.common_batch:
        reports = {name: report for name, report in reports.items() if "early" in report}
    apart = disagreement(reports)
    values = {name: [float(f"{value:.6g}") for value in quantities(report)] for name, report in reports.items()}
    return {"apart": apart, "tolerance": workload.tolerance, "agree": apart <= workload.tolerance, "values": values}
