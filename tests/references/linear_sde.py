"""Writes linear_sde.json: kernels x(t) | x(s) = N(signal x(s) + shift, var) of linear stochastic equations dx = (F(t) x + c(t)) dt + G(t) dW
with matrix coefficients, by integrating the equations of their mean and covariance (Särkkä, Solin: Applied stochastic differential
equations, 2019, section 6.2) with DOP853 at 1e-13.

    pip install numpy==2.4.6 scipy==1.17.1
    python linear_sde.py > linear_sde.json
"""

import numpy as np
import scipy
from scipy.integrate import solve_ivp

from mixture_diffusion import plain, readable

SPANS = [[0.0, 0.1], [0.0, 0.7], [0.2, 0.5]]


def kernel(F, c, G, s, t):
    n = len(F(s))

    def slope(time, state):
        signal, var, shift = state[: n * n].reshape(n, n), state[n * n : 2 * n * n].reshape(n, n), state[2 * n * n :]
        rate, noise = F(time), G(time)
        spread = rate @ var
        return np.concatenate([(rate @ signal).ravel(), (spread + spread.T + noise @ noise.T).ravel(), rate @ shift + c(time)])

    start = np.concatenate([np.eye(n).ravel(), np.zeros(n * n + n)])
    state = solve_ivp(slope, (s, t), start, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    return state[: n * n].reshape(n, n), state[n * n : 2 * n * n].reshape(n, n), state[2 * n * n :]


def model(equation, F, G, c=None, /, **inputs):
    n = len(F(0.1))
    kernels = [kernel(F, c or (lambda t: np.zeros(n)), G, s, t) for s, t in SPANS]
    values = {name: [found[i] for found in kernels] for i, name in enumerate(("signal", "var", "shift"))}
    return {"equation": equation, "inputs": inputs | {"spans": SPANS}, "values": values}


def langevin(mass=0.25, friction=1.0, beta=4.0):
    """Dockhorn, Vahdat, Kreis: Score-based generative modeling with critically damped Langevin diffusion (2022), equation 5."""
    rate = beta * np.array([[0.0, 1 / mass], [-1.0, -friction / mass]])
    noise = np.diag([0.0, np.sqrt(2 * friction * beta)])
    equation = "dx = beta v / mass dt, dv = -beta x dt - beta friction v / mass dt + sqrt(2 friction beta) dW; state (x, v)"
    return model(equation, lambda t: rate, lambda t: noise, mass=mass, friction=friction, beta=beta)


def main():
    turning = np.array([[-0.5, 2.0], [-2.0, -0.5]])
    factor = np.array([[1.0, 0.0], [0.5, 0.75]])
    slow = np.array([[-1.0, 0.25], [0.25, -0.5]])
    along = np.array([[0.8, 0.6]])
    models = {
        "critically_damped_langevin": langevin(),
        "rotation": model("dx = F x dt + G dW", lambda t: turning, lambda t: factor, F=turning, G=factor),
        "symmetric_with_shift": model(
            "dx = (F x + [sin(t), 1]) dt + G dW", lambda t: slow, lambda t: factor, lambda t: np.array([np.sin(t), 1.0]), F=slow, G=factor
        ),
        "commuting": model(
            "dx = (1 + t) F x dt + sqrt(1 + t) G dW", lambda t: (1 + t) * slow, lambda t: np.sqrt(1 + t) * factor, F=slow, G=factor
        ),
        "not_commuting": model("dx = (F + t H) x dt + G dW", lambda t: turning + t * slow, lambda t: factor, F=turning, H=slow, G=factor),
        "diagonal": model("dx = -[1, 3] * x dt + [t, exp(-t)] dW", lambda t: np.diag([-1.0, -3.0]), lambda t: np.diag([t, np.exp(-t)])),
        "subspace": model("dx = -1/2 P x dt + P dW, P = u u'", lambda t: -0.5 * along.T @ along, lambda t: along.T @ along, u=along[0]),
        "brownian_bridge": model(
            "dx = (y - x) / (1 - t) dt + dW",
            lambda t: np.array([[-1 / (1 - t)]]),
            lambda t: np.eye(1),
            lambda t: np.array([2.0 / (1 - t)]),
            y=2.0,
        ),
        "rational": model(
            "dx = -x / (1 + t) dt + t / (1 + t^2) dW", lambda t: np.array([[-1 / (1 + t)]]), lambda t: np.array([[t / (1 + t**2)]])
        ),
        "trigonometric": model(
            "dx = -cos(3 t) x dt + sin(t) dW", lambda t: np.array([[-np.cos(3 * t)]]), lambda t: np.array([[np.sin(t)]])
        ),
        "not_elementary": model(
            "dx = -exp(-t^2) x dt + sqrt(1 + t^3) dW", lambda t: np.array([[-np.exp(-(t**2))]]), lambda t: np.array([[np.sqrt(1 + t**3)]])
        ),
    }
    source = f"NumPy {np.__version__}, SciPy {scipy.__version__} (DOP853 at 1e-13)"
    print(readable({"source": source, "models": plain(models)}))


if __name__ == "__main__":
    main()
