"""A local server for SavedModels that speaks TF Serving's REST and gRPC interfaces."""

import os

# gRPC logs what a client says as it goes, byte for byte: it could steer the terminal. It reads this as it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
