"""A script of its own, run by `python -I`: asks an exported model its questions, or times it beside the SavedModel.

    python -I ask_engine.py answers FORMAT MODEL INPUTS.npz OUTPUTS.npz
    python -I ask_engine.py speed FORMAT MODEL INPUTS.npz SAVED_MODEL

Neither this project nor Keras can be imported here, and TensorFlow only to time its SavedModel. One thread each.
"""

import json
import os
import statistics
import sys
import time
from typing import Any

import numpy as np

SIGNATURE = "reconstruct"
BATCHES = (1, 32)
SECONDS, LEAST_ROUNDS = 1.5, 5


def onnx_engine(folder):
    """A function (signature, {input: array}) → {output: array} of a folder of ONNX files."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    sessions = {}

    def ask(name, arguments):
        if name not in sessions:
            sessions[name] = onnxruntime.InferenceSession(
                f"{folder}/{name}.onnx", options, providers=["CPUExecutionProvider"]
            )
        outputs = [output.name for output in sessions[name].get_outputs()]
        return dict(zip(outputs, sessions[name].run(outputs, arguments), strict=True))

    return ask


def litert_engine(folder):
    """The same of a folder with a LiteRT file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=f"{folder}/model.tflite", num_threads=1)
    runners = {}

    def ask(name, arguments):
        if name not in runners:
            runners[name] = interpreter.get_signature_runner(name)
        return runners[name](**arguments)

    return ask


def saved_model_engine(folder):
    """The same of a SavedModel."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = tf.saved_model.load(folder)

    def ask(name, arguments):
        answers = model.signatures[name](**{key: tf.constant(value) for key, value in arguments.items()})
        return {key: value.numpy() for key, value in answers.items()}

    return ask


ENGINES = {"onnx": onnx_engine, "litert": litert_engine}


def main(task, form, folder, inputs, target):
    hidden = ["keras", "tf_keras", "vae_tf"] + (["tensorflow"] if task == "answers" else [])
    nothing: Any = None
    sys.modules.update(dict.fromkeys(hidden, nothing))
    with np.load(inputs) as file:
        given: dict[str, Any] = {}
        for key in file.files:
            name, argument = key.split("/")
            given.setdefault(name, {})[argument] = file[key]
    ask = ENGINES[form](folder)
    if task == "answers":
        answers = {name: ask(name, arguments) for name, arguments in given.items()}
        np.savez(
            target, **{f"{name}/{key}": value for name, one in answers.items() for key, value in one.items()}
        )
    else:
        os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
        print(json.dumps(speeds(ask, saved_model_engine(target), given[SIGNATURE])))


def speeds(ask, ask_saved_model, given):
    """Examples per second, {batch size: {"format": …, "saved_model": …}}: medians of rounds, the two in turn."""
    found = {}
    for size in BATCHES:
        arguments = {key: np.resize(rows, (size, *rows.shape[1:])) for key, rows in given.items()}
        engines = {"format": ask, "saved_model": ask_saved_model}
        seconds: dict[str, list[float]] = {name: [] for name in engines}
        for one in engines.values():
            one(SIGNATURE, arguments)
        ends = time.perf_counter() + SECONDS
        while time.perf_counter() < ends or len(seconds["format"]) < LEAST_ROUNDS:
            for name, one in engines.items():
                began = time.perf_counter()
                one(SIGNATURE, arguments)
                seconds[name].append(time.perf_counter() - began)
        found[size] = {name: size / statistics.median(taken) for name, taken in seconds.items()}
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
