"""What a SavedModel's graphs do when they are run: compute, and nothing else.

TensorFlow runs whatever a SavedModel holds, some of it while the model is loaded; a stranger's may write files, read
them into an answer, or ask the network. This is a list of what is refused, no proof: what TensorFlow adds tomorrow is
not on it.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from vae_tf.errors import UserError

# Operations that reach files, other processes, other machines, or Python.
REACHING = re.compile(
    r"(Read|Write|Delete)File|MatchingFiles|ImmutableConst|Print(V2)?|(Eager)?PyFunc(Stateless)?"
    r"|(WholeFile|TextLine|TFRecord|FixedLengthRecord|LMDB)Reader(V2)?|InitializeTableFromTextFile(V2)?"
    r"|(Save|Restore)(V2|Slice|Slices)?|MergeV2Checkpoints|(Read|Write)\w*Summary\w*|\w*SummaryWriter|\w*SummaryFileWriter"
    r"|Debug(Identity|NumericSummary|NanCount)\w*|\w*Dataset(V[0-9]|Op)?|DataService\w*|Rpc\w*|\w*BigQuery\w*|GenerateBigQueryReaderPartitions"
    r"|RemoteCall|DistributedSave|LoadAndRemapMatrix|FileSystemSetConfiguration|CreateSummaryDbWriter|Snapshot\w*Reader"
    r"|(_Host)?_?(Send|Recv)|Collective\w*|XlaLaunch\w*|XlaCustomCall\w*|\w*CompilationCacheFetch|Checkpoint\w*"
)
# How a SavedModel's weights are written and read again; of its functions only those of its saver do.
OF_CHECKPOINTS = ("SaveV2", "RestoreV2", "MergeV2Checkpoints")


def check(folder: Path) -> None:
    """Looks through every function of a SavedModel before it is loaded.

    Raises:
        UserError: One that reaches beyond the model.
    """
    document = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    for graph in document.meta_graphs:
        saving = saving_functions(graph)
        for owner, node in all_nodes(graph.graph_def):
            if REACHING.fullmatch(node.op) and not (node.op in OF_CHECKPOINTS and owner in saving):
                raise UserError(
                    f"{folder} is not loaded: {owner or 'its graph'} has the operation {node.op}, "
                    "which reaches beyond the model.",
                    "Export the model without it: a graph that is served may only compute.",
                )


def all_nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Every operation with the name of the function that it is in; "" outside of functions."""
    for node in graph.node:
        yield "", node
    for function in graph.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def saving_functions(graph: Any) -> set[str]:
    """The functions that only the saver calls."""
    inside = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    saver = {
        name.partition(":")[0] for name in (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name)
    }
    by_saver = {name for node in graph.graph_def.node if node.name in saver for name in called_by(node)}
    by_others = {name for node in graph.graph_def.node if node.name not in saver for name in called_by(node)}
    by_others |= set(graph.object_graph_def.concrete_functions)
    return reached(by_saver, inside) - reached(by_others, inside)


def reached(names: Iterable[str], inside: dict[str, Any]) -> set[str]:
    """These functions, and those that they call."""
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [called for node in inside.get(name, ()) for called in called_by(node)]
    return found


def called_by(node: Any) -> set[str]:
    """Names of the functions that an operation is given."""
    values = list(node.attr.values())
    listed = [function.name for value in values for function in value.list.func]
    return {name for name in (*(value.func.name for value in values), *listed) if name}
