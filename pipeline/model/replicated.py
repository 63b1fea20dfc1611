"""Training on several devices and in fewer bits; what comes of it is a plain network again.

`keras.Model.fit` cannot train with MultiWorkerMirroredStrategy, and of a last, smaller batch it
counts each device's share alike, though one may have fewer images. Here the images count alike.
"""

import os
from collections.abc import Mapping, Sequence

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import tensorflow as tf

from pipeline.model.epochs import run_epochs
from pipeline.settings.training import TrainingConfig


def open_strategy(training: TrainingConfig) -> tf.distribute.Strategy | None:
    """What divides batches among devices; None on one device."""
    if training.strategy == "mirrored":
        # Without a GPU, as in tests, the logical devices of the CPU.
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        devices = [each.name for each in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(devices)
    if training.strategy == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return None


def lower_precision(network: keras.Model) -> None:
    """Lets every layer but the last compute in float16; a probability needs more."""
    last = network.get_layer(network.output_names[0])
    for layer in network.layers:
        if layer is not last and not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = keras.DTypePolicy("mixed_float16")


def fit_replicated(
    network: keras.Model,
    strategy: tf.distribute.Strategy,
    batches: tf.data.Dataset,
    tuning: tf.data.Dataset,
    *,
    epochs: int,
    weights: Mapping[int, float],
    callbacks: Sequence[keras.callbacks.Callback],
) -> list[float]:
    """As `fit` of a compiled network, with each batch divided among the devices.

    Args:
      network: made in the scope of the strategy, and compiled there.
      weights: of the two classes.

    Returns:
      The tuning AUC after each epoch.
    """
    steps = _Steps(network, strategy, weights)
    shared, judged = steps.divided(batches.map(steps.weighted)), steps.divided(tuning)
    auc = keras.metrics.AUC()

    def train(batch: tuple[tf.Tensor, ...]) -> tuple[float, float]:
        loss, count = steps.train(batch)
        return float(loss), float(count)

    def judge() -> float:
        auc.reset_state()
        for batch in judged:
            auc.update_state(*steps.judge(batch))
        return float(auc.result())

    return run_epochs(network, shared, epochs=epochs, step=train, judge=judge, callbacks=callbacks)


class _Steps:
    """One step of training and one of judging, on all devices at once."""

    def __init__(
        self,
        network: keras.Model,
        strategy: tf.distribute.Strategy,
        weights: Mapping[int, float],
    ) -> None:
        self.network, self.strategy, self.weights = network, strategy, weights
        with strategy.scope():
            network.optimizer.build(network.trainable_variables)
        self.train = tf.function(self._train, reduce_retracing=True, autograph=False)
        self.judge = tf.function(self._judge, reduce_retracing=True, autograph=False)

    def divided(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Each device's share of each batch: every machine reads all, and keeps its own."""
        options = tf.data.Options()
        sharding = tf.data.experimental.AutoShardPolicy.DATA
        options.experimental_distribute.auto_shard_policy = sharding
        return self.strategy.experimental_distribute_dataset(batches.with_options(options))

    def weighted(self, pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """With what each image weighs in the mean over the whole batch."""
        weights = tf.where(labels > 0, self.weights[1], self.weights[0])
        return pixels, labels, weights / tf.cast(tf.shape(labels)[0], tf.float32)

    def _train(self, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tf.Tensor]:
        """The batch's loss, and how many images it has."""
        each = self.strategy.run(self._train_share, args=batch)
        loss, count = (self.strategy.reduce("SUM", part, axis=None) for part in each)
        return loss, count

    def _train_share(
        self, pixels: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        network = self.network
        with tf.GradientTape() as tape:
            scores = network(pixels, training=True)
            losses = keras.losses.binary_crossentropy(labels[:, None], scores)
            loss = tf.reduce_sum(losses * weights)
            # A share of what the layers add, as the shares are summed.
            added = tf.add_n([tf.zeros(()), *network.losses]) / self.strategy.num_replicas_in_sync
            scaled = network.optimizer.scale_loss(loss + added)
        gradients = tape.gradient(scaled, network.trainable_variables)
        network.optimizer.apply_gradients(zip(gradients, network.trainable_variables))
        return loss + added, tf.shape(labels)[0]

    def _judge(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Labels and scores of all devices' shares."""
        labels, scores = self.strategy.run(
            lambda pixels, labels: (labels, self.network(pixels, training=False)[:, 0]), args=batch
        )
        return self.strategy.gather(labels, axis=0), self.strategy.gather(scores, axis=0)
