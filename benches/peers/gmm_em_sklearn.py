"""benches/workloads/gmm_em.tilde in scikit-learn."""

import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from common import arguments, gmm_start, measured, report


def main() -> None:
    args = arguments(__doc__, steps=50).parse_args()
    x, w, mu, cov = gmm_start(args.from_)
    warnings.simplefilter("ignore", ConvergenceWarning)

    def fit() -> GaussianMixture:
        start = {"weights_init": w, "means_init": mu, "precisions_init": np.linalg.inv(cov)}
        return GaussianMixture(len(w), max_iter=args.steps, tol=0, reg_covar=0, **start).fit(x)

    mixture, timing = measured(fit, 0.0, repeats=0, steps=args.steps)
    heading = {"workload": "gmm_em", "system": "sklearn", "version": sklearn.__version__, "steps": args.steps}
    report(heading | timing | {"loss": float(mixture.lower_bound_)}, args.json)


if __name__ == "__main__":
    main()
