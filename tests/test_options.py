"""Options typed, options in a file, and the configuration between them."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae_tf.config import Config, DataConfig, ModelConfig, TrainingConfig
from vae_tf.errors import UserError
from vae_tf.options import as_typed, read_options, to_config, to_toml

NAMES = {"source", "latent", "beta", "split", "size", "range", "grey", "augment", "only", "set", "name"}

configs = st.builds(
    Config,
    data=st.builds(
        DataConfig,
        source=st.text("abc/ü '\"\\", min_size=1, max_size=8),
        labels=st.none() | st.just("facts.csv"),
        only=st.just(()) | st.just(("happy", "sad")),
        group_by=st.none() | st.just(r"([^/]+)\.png$"),
        split=st.none() | st.tuples(*[st.floats(0.125, 100)] * 3),
        size=st.none() | st.tuples(st.integers(8, 1024), st.integers(8, 1024)),
        channels=st.sampled_from([None, 1, 3]),
        value_range=st.none() | st.tuples(st.floats(-1e6, 0), st.floats(1, 1e6)),
    ),
    model=st.builds(
        ModelConfig,
        latent=st.integers(1, 4096),
        beta=st.floats(0, 10),
        settings=st.just({}) | st.just({"encoder.widths": [16, 8], "prior.name": "vamp"}),
    ),
    training=st.builds(TrainingConfig, epochs=st.none() | st.integers(1, 9), seed=st.integers(0, 99)),
)


@given(configs)
def test_a_written_configuration_reads_back_as_itself(config):
    options = {
        name.replace("-", "_"): as_typed(name, value)
        for name, value in tomllib.loads(to_toml(config)).items()
    }
    assert to_config(options) == config


def test_what_a_file_says_is_what_would_be_typed(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'latent = 20\nsplit = [60, 20, 20]\nsize = 64\nrange = [0, 4095]\nrgb = true\naugment = ["mirror", "shift"]\n'
        'only = ["happy"]\n[set]\nencoder.widths = [16]\n"likelihood.scale" = 0.1\n'
    )
    options = read_options(path, NAMES)
    config = to_config({"source": "faces", **options})
    assert config.model.latent == 20
    assert config.data.split == (60, 20, 20)
    assert config.data.size == (64, 64)
    assert config.data.value_range == (0, 4095)
    assert config.data.channels == 3
    assert config.data.only == ("happy",)
    assert config.training.augment == "mirror,shift"
    assert config.model.settings == {"encoder.widths": [16], "likelihood.scale": 0.1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latnet = 3", "'latnet'. Did you mean 'latent'?"),
        ("latent = ", "not TOML"),
        ("[training]\nepochs = 3", "no option 'training'"),
    ],
)
def test_a_wrong_file_is_told_with_the_nearest_name(tmp_path, text, said):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_options(path, NAMES)
    assert said in caught.value.message


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match="no file"):
        read_options(tmp_path / "none.toml", NAMES)


@pytest.mark.parametrize("options", [{"range": "5"}, {"range": "5:a"}, {"range": "9:1"}, {"range": "0:inf"}])
def test_a_range_has_two_finite_ends_in_order(options):
    with pytest.raises(UserError):
        to_config({"source": "faces", **options})
