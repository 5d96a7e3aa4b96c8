"""Every named model is one row of parts."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from vae_tf.errors import UserError
from vae_tf.nearest import did_you_mean


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What a recipe's numbers may depend on; of sentences `image_shape` is (positions,)."""

    image_shape: tuple[int, ...]
    latent_dim: int
    batch_size: int
    num_classes: int = 0
    num_tokens: int = 0

    @property
    def num_values(self) -> int:
        """Pixels times channels of a picture."""
        return math.prod(self.image_shape)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One row: the name of a part on each axis, with what `recipes` prints: what it is, its paper, what to expect.

    `settings` are arguments of parts, {"axis.argument": value}, where a value may be a function of `Sizes`; the model
    itself is the axis "model". "auto" networks are convolutional, above 80×80 pixels with a patch stem. `data` is what
    it is trained on, "pictures" or "sentences"; `needs` what these must have besides: "labels" of at least two classes.
    """

    description: str
    paper: str
    expect: str
    encoder: str = "auto"
    decoder: str = "auto"
    posterior: str = "diagonal"
    prior: str = "standard_normal"
    likelihood: str = "gaussian"
    objective: str = "elbo"
    model: str = "vae"
    data: str = "pictures"
    needs: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


PRINTED = "course notes"
# What the code of a sentence may use for nothing: annealing and word dropout alone left it below 2 nats
# (benchmarks/text.py).
FREE_NATS = 2.5
UNIT = {"likelihood.scale": 1.0}


def printed(description: str, expect: str, beta: Any, **changes: Any) -> Recipe:
    """A loss as courses print it: squared error and KL, which is the ELBO of unit noise at some β (docs/losses.md)."""
    return Recipe(description, PRINTED, expect, settings={**UNIT, "objective.beta": beta}, **changes)


RECIPES: dict[str, Recipe] = {
    "conv": Recipe(
        "convolutional VAE, learned σ",
        "Kingma & Welling 2014",
        "the default: on faces less error on unseen people than PCA of the same size",
    ),
    "mlp": Recipe(
        "dense layers on the flattened picture",
        "Kingma & Welling 2014",
        "fast for small pictures such as digits; blurred from 64×64 pixels on",
        encoder="mlp",
        decoder="mlp",
    ),
    "ae": Recipe(
        "plain autoencoder: a code without noise or prior",
        "Hinton & Salakhutdinov 2006",
        "sharp reconstructions; codes with holes between them, so that samples and paths fail",
        posterior="deterministic",
        objective="reconstruction",
    ),
    "denoising-ae": Recipe(
        "autoencoder that sees noisy pictures and gives clean ones",
        "Vincent et al. 2008",
        "smoother codes than the plain one",
        posterior="deterministic",
        objective="reconstruction",
        settings={"model.corruption": 0.1},
    ),
    "sparse-ae": Recipe(
        "autoencoder with an L1 penalty on the code",
        "Ng 2011, lecture notes",
        "few dimensions in use for each picture",
        posterior="deterministic",
        objective="sparse",
    ),
    "beta": Recipe(
        "β-VAE, β = 4",
        "Higgins et al. 2017",
        "fewer, more separate dimensions; blurred reconstructions",
        settings={"objective.beta": 4.0},
    ),
    "capacity": Recipe(
        "KL held to a capacity that grows",
        "Burgess et al. 2018",
        "as β-VAE, with more detail at the end of training",
        objective="capacity",
    ),
    "free-bits": Recipe(
        "every dimension may use λ nats for nothing",
        "Kingma et al. 2016",
        "against collapsed dimensions",
        objective="free_bits",
    ),
    "beta-tc": Recipe(
        "β on the total correlation alone",
        "Chen et al. 2018",
        "separate dimensions at less cost in detail than β-VAE",
        objective="beta_tc",
    ),
    "factor": Recipe(
        "total correlation found by a discriminator of codes",
        "Kim & Mnih 2018",
        "as beta-tc, for any posterior; a discriminator takes steps to learn",
        model="factor",
    ),
    "dip": Recipe(
        "covariance of the codes held to the identity",
        "Kumar et al. 2018",
        "uncorrelated dimensions",
        objective="dip",
    ),
    "mmd": Recipe(
        "InfoVAE: the aggregate posterior is matched to the prior",
        "Zhao et al. 2019",
        "codes that say more of the picture; samples from where the data is",
        objective="mmd",
    ),
    "iwae": Recipe(
        "importance-weighted bound, K = 5",
        "Burda et al. 2016",
        "a tighter bound on log p(x); five times the decoder's work",
        objective="iwae",
    ),
    "dreg": Recipe(
        "importance-weighted bound with doubly reparameterised gradients",
        "Tucker et al. 2019",
        "as iwae, with less noise in the encoder's gradient",
        objective="dreg",
    ),
    "isotropic": Recipe(
        "one posterior variance for all dimensions",
        "Kingma & Welling 2014",
        "a simpler posterior: what the diagonal one buys",
        posterior="isotropic",
    ),
    "full-covariance": Recipe(
        "posterior N(μ, LLᵀ)",
        "Kingma & Welling 2019",
        "dimensions that may be uncertain together: a tighter bound",
        posterior="full_covariance",
    ),
    "iaf": Recipe(
        "posterior through inverse autoregressive flows",
        "Kingma et al. 2016",
        "a posterior of any shape: a tighter bound",
        posterior="iaf",
    ),
    "normal-prior": Recipe(
        "learned prior N(μ₁, Σ₁)",
        "Kingma & Welling 2019",
        "the prior follows the codes",
        prior="normal",
    ),
    "mixture-prior": Recipe(
        "learned mixture of ten normals as the prior",
        "Dilokthanakul et al. 2016",
        "codes that may form groups",
        prior="mixture",
    ),
    "vamp": Recipe(
        "prior of the posteriors of learned pseudo-inputs",
        "Tomczak & Welling 2018",
        "a prior near the aggregate posterior: better samples",
        prior="vamp",
    ),
    "beta-bernoulli": Recipe(
        "features that are on or off: an Indian buffet process, stick-breaking",
        "Singh et al. 2017; Chatzis 2014; Gyawali et al. 2019",
        "as many features as the pictures need, few on in each; `evaluate` shows which factor switches which",
        posterior="beta_bernoulli",
        prior="beta_bernoulli",
    ),
    "bernoulli": Recipe(
        "each pixel on or off",
        "Kingma & Welling 2014",
        "right for black-and-white pictures only",
        likelihood="bernoulli",
    ),
    "binarised": Recipe(
        "pixels drawn black or white anew in every step, two dense layers of 200",
        "Burda et al. 2016",
        "on MNIST with 50 latents about −87 nats, to set against published figures",
        encoder="mlp",
        decoder="mlp",
        likelihood="bernoulli",
        settings={
            "model.binarised": True,
            **{f"{axis}.widths": (200, 200) for axis in ("encoder", "decoder")},
        },
    ),
    "continuous-bernoulli": Recipe(
        "a density on [0, 1] in the Bernoulli's place",
        "Loaiza-Ganem & Cunningham 2019",
        "for grey pictures with many black and white pixels",
        likelihood="continuous_bernoulli",
    ),
    "discretised-logistic": Recipe(
        "masses over 256 grey levels",
        "Kingma et al. 2016",
        "nats that compare with other models of 8-bit pictures",
        likelihood="discretised_logistic",
    ),
    "vae-gan": Recipe(
        "reconstructs a discriminator's features instead of pixels",
        "Larsen et al. 2016",
        "sharp pictures with more error per pixel; three times the work",
        model="vae-gan",
    ),
    "m2": Recipe(
        "a few labels: p(x | y, z), the class summed over where it is unknown",
        "Kingma et al. 2014",
        "predictions for unlabelled pictures; as many decoder passes as there are classes",
        model="m2",
        needs=frozenset({"labels"}),
        # With the paper's 0.1 the classes were learned far more slowly (docs/architecture.md).
        settings={"model.alpha": 20.0},
    ),
    "m1-m2": Recipe(
        "a few labels: M2 on the latents of an ordinary VAE",
        "Kingma et al. 2014",
        "better predictions than m2 where pictures form groups of their own; cheaper, too",
        model="m1-m2",
        needs=frozenset({"labels"}),
        settings={"model.alpha": 20.0},
    ),
    "sentence": Recipe(
        "LSTM encoder and decoder of sentences; KL annealing, word dropout, a few free nats",
        "Bowman et al. 2016",
        "train sentences.txt: a few nats of each sentence in the code; without all three it collapses",
        encoder="lstm",
        decoder="lstm",
        likelihood="categorical",
        model="sentence",
        data="sentences",
        objective="free_bits",
        settings={
            "objective.warmup_steps": 600,
            "objective.floor": lambda sizes: FREE_NATS / sizes.latent_dim,
            "model.word_dropout": 0.25,
        },
    ),
    "printed-sum": printed(
        "Σ(σ² + μ² − log σ² − 1) + Σ‖x − x̂‖², dense layers",
        "twice the ELBO of unit noise: blurred, few dimensions in use",
        1.0,
        encoder="mlp",
        decoder="mlp",
    ),
    "printed-half": printed(
        "½(tr Σ + μᵀμ − log det Σ − n + E‖x − x̂‖²)",
        "the ELBO of unit noise: blurred, few dimensions in use",
        1.0,
    ),
    "printed-no-half": printed("‖x − x̂‖² + KL", "β = ½: a little sharper than printed-half", 0.5),
    "printed-mean-pixels": printed(
        "batch size · mean squared error over pixels + summed KL",
        "β = half the number of pixels: the code collapses on large pictures",
        lambda sizes: sizes.num_values / 2,
    ),
    "printed-mean-kl": printed(
        "summed squared error + KL averaged over batch and latents",
        "β = 1/(2·batch·latents): nearly a plain autoencoder; samples fail",
        lambda sizes: 1.0 / (2 * sizes.batch_size * sizes.latent_dim),
    ),
}


def find_recipe(name: str) -> Recipe:
    """Raises: UserError: No recipe has this name; the message lists them."""
    if name not in RECIPES:
        raise UserError(
            f"There is no recipe called {name!r}.{did_you_mean(name, RECIPES)}",
            f"Choose one of: {', '.join(RECIPES)}.",
        )
    return RECIPES[name]
