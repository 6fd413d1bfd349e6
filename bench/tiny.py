"""A tiny network: 20-32-10, batch 32, Adam, one steady epoch of 1,984 rows with metrics."""

import shoal as sh
from common import Claim, all_rows, alternate, random_data, report, steady

from peers import best, keras_epochs, perceptron, sklearn_epochs, torch_arms

EPOCHS = 20


def main() -> None:
    data = random_data(1984, (20,), 10)
    recipe = sh.Recipe(
        sh.mlp([32], 10), loss="cross_entropy", batch_size=32, preparation=all_rows()
    )
    x, y = data.inputs, data.targets
    arms = {"shoal": steady(recipe, data, 1, 10 * EPOCHS)}
    arms |= torch_arms(lambda: perceptron([20, 32, 10]), x, y, 32, 3)
    arms["scikit-learn MLP"] = sklearn_epochs(x, y, 32, 32, EPOCHS)
    arms["Keras (JAX)"] = keras_epochs(x, y, 32, 32, EPOCHS)
    times = {name: seconds / 62 * 1e6 for name, seconds in alternate(arms, 7).items()}
    ours = times["shoal"]
    claims = [
        Claim(f"tiny network against {name}", ours, peer, peer / ours, wanted, "us per step")
        for name, peer, wanted in (
            ("PyTorch", best(times, "PyTorch"), 10.0),
            ("scikit-learn", times["scikit-learn MLP"], 4.0),
            ("Keras", times["Keras (JAX)"], 5.0),
        )
    ]
    report("20-32-10, batch 32, Adam, steady epoch with metrics", times, "us per step", claims)


if __name__ == "__main__":
    main()
