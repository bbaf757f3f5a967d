"""Runs the peers for the quality that they reach, and writes what they report; how fast they are is what ../run.py measures.

`figures`: the autoencoder and the flow at full length from several seeds.
`diffusion`: the same for the models of diffusion_jax.py, written to tests/references/diffusion.json.
"""

import argparse
import datetime
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import numpy

PEERS = Path(__file__).resolve().parent
REPOSITORY = PEERS.parents[1]
DIFFUSION_RESULTS = REPOSITORY / "tests/references/diffusion.json"

FIGURES = [["vae_jax.py"], ["vae_jax.py", "--mode", "jit"], ["vae_torch.py"], ["vae_torch.py", "--compile"], ["realnvp_jax.py"]]
DIFFUSIONS = ["ddpm", "vp", "vp_noise", "subvp", "subvp_noise", "ve", "ve_noise", "edm", "flow_matching"]
DISTANCES = ["swd", "energy", "swd_floor", "energy_floor"]


def last_json_line(command: list[str]) -> dict | None:
    """What the command reports; None, with its last words shown, if it fails or reports nothing."""
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    try:
        done.check_returncode()
        return json.loads(done.stdout.strip().rpartition("\n")[2])
    except (subprocess.CalledProcessError, json.JSONDecodeError) as problem:
        print(f"left out: {' '.join(command)}: {problem}\n{done.stderr[-500:]}", file=sys.stderr)
        return None


def run_peer(program: list[str], *options: str) -> dict | None:
    script, *flags = program
    arguments = [*flags, *options, "--json"]
    reported = last_json_line([sys.executable, str(PEERS / script), *arguments])
    if reported:
        reported.pop("early", None)
    return reported and reported | {"command": " ".join(["python", script, *arguments])}


def diffusion_figures(reports: list[dict]) -> dict:
    """By model: the commands, and for each sampler and figure a value a seed."""
    models: dict[str, dict] = {}
    for reported in reports:
        model = models.setdefault(reported["workload"], {"commands": []})
        model["commands"].append(reported["command"])
        for name, value in reported.items():
            if isinstance(value, dict):
                sampler = model.setdefault(name, {figure: [] for figure in DISTANCES})
                for figure in DISTANCES:
                    sampler[figure].append(value[figure])
            elif name in ("nelbo", "bits_per_dim"):
                model.setdefault(name, []).append(value)
    return models


def diffusion_table(models: dict) -> str:
    lines = ["| model | sampler | `swd` | `energy` |", "| --- | --- | --- | --- |"]
    spread = lambda values: f"{statistics.mean(values):.2g} ({min(values):.2g} to {max(values):.2g})"
    for name, model in models.items():
        for sampler, figures in model.items():
            if isinstance(figures, dict):
                lines.append(f"| `{name}` | {sampler} | {spread(figures['swd'])} | {spread(figures['energy'])} |")
    return "\n".join(lines)


def write_diffusion(reports: list[dict]) -> None:
    models = diffusion_figures(reports)
    source = f"benches/peers/diffusion_jax.py: JAX {reports[0]['version']}, NumPy {numpy.__version__}"
    whole = {"source": source, "date": datetime.date.today().isoformat(), "models": models}
    text = json.dumps(whole, indent=1)
    DIFFUSION_RESULTS.write_text(re.sub(r"\[[^\[\]{}\"]*\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n")
    print(diffusion_table(models))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["figures", "diffusion"], help="what is not run stays as it is in --out")
    parser.add_argument("--seeds", type=int, default=3, help="of full-length runs")
    parser.add_argument("--out", type=Path, default=PEERS / "results.json")
    args = parser.parse_args()

    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    if args.only in (None, "figures"):
        runs = [run_peer(program, "--seed", str(seed)) for program in FIGURES for seed in range(args.seeds)]
        results["figures"] = [reported for reported in runs if reported]
        print("\n".join(map(json.dumps, results["figures"])))
    if args.only in (None, "diffusion"):
        runs = [run_peer(["diffusion_jax.py", name], "--seed", str(seed)) for name in DIFFUSIONS for seed in range(args.seeds)]
        write_diffusion([reported for reported in runs if reported])
    args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
