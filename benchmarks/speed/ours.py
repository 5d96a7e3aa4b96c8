"""vae_tf as `train` and `embed` run it: its own input pipeline, loop, optimiser and average of the weights."""

import sys

import numpy as np

from benchmarks.speed.contestant import serve
from benchmarks.speed.workloads import LATENT, WORKLOADS
from vae_tf import recipes


def main(workload_name: str, precision: str) -> None:
    from vae_tf.data.batches import ordered_batches, training_batches
    from vae_tf.evaluation import latents, reconstruction
    from vae_tf.training import loop
    from vae_tf.training import precision as precisions
    from vae_tf.training.plan import Plan

    workload = WORKLOADS[workload_name]
    recipe = "mlp" if workload.kind == "mlp" else "conv"
    chosen = precisions.resolve(precision, recipe)
    model = recipes.build(
        recipe,
        workload.image_shape,
        LATENT,
        precision=chosen.policy,
        batch_size=workload.batch_size,
        settings={} if recipe == "mlp" else workload.settings,
    )
    images = workload.pictures()
    labels, indices = np.full(len(images), -1), np.arange(len(images))
    plan = Plan(workload.batch_size, 16, 1, 1e-3, "constant", 16, None, 0)
    loop.prepare(model, plan, chosen.jit_compile)
    batches = training_batches(images, labels, indices, workload.batch_size, 0)

    def train(num: int) -> None:
        steps = plan.steps_per_execution * -(-num // plan.steps_per_execution)
        model.fit(batches, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)

    def forward(num: int) -> None:
        left = num * workload.batch_size
        while left:
            # As the reports rebuild pictures: from a slice of the cache, not from copies of it.
            for _ in reconstruction.rebuilt_batches(model, images[:left], workload.batch_size):
                pass
            left -= min(left, len(images))

    def embed(num: int) -> None:
        chosen_indices = np.arange(num * workload.batch_size) % len(images)
        latents.embed(model, ordered_batches(images, labels, chosen_indices, workload.batch_size))

    facts = {"weights": model.count_params(), "steps_per_execution": plan.steps_per_execution}
    serve({"train": train, "forward": forward, "embed": embed}, facts)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
