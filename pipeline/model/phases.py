"""How a network is trained."""

import keras

from pipeline.settings.sections import ModelConfig


def compile_network(network: keras.Model, model: ModelConfig, *, steps: int) -> None:
    """Readies a network for training.

    The learning rate falls to nothing over `steps`, all the training there will be: the last
    epochs then settle, and retrainings with other seeds come out closer together.
    """
    rate = keras.optimizers.schedules.CosineDecay(model.learning_rate, steps)
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
