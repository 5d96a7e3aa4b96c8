"""Errors as TF Serving tells them: one canonical code, which is a gRPC status and an HTTP status alike."""

from grpc import StatusCode as Code

HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
BY_NUMBER = {code.value[0]: code for code in Code}
MAX_MESSAGE = 1000  # characters: what a client sent is quoted, but not at any length


class ServingError(Exception):
    """What a request is answered with instead of tensors.

    Args:
        code: The canonical code.
        message: One plain text; it never holds a path of this machine.
        http_status: Where HTTP has a status of its own for it (413).
    """

    def __init__(self, code: Code, message: str, http_status: int | None = None) -> None:
        message = message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + " …"
        # JSON may name half a surrogate pair, which no answer could be encoded with.
        message = message.encode(errors="replace").decode()
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or HTTP_STATUS[code]


def invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def from_exception(error: BaseException) -> ServingError:
    """What TensorFlow raised, without the frame that it puts around its own message."""
    if isinstance(error, ServingError):
        return error
    number = getattr(error, "error_code", None)
    if number is None or number not in BY_NUMBER:
        return ServingError(Code.INTERNAL, f"The model could not be run: {type(error).__name__}.")
    message = str(getattr(error, "message", error))
    # "Graph execution error:\n\nDetected at node …\n<stack traces unavailable>\nMESSAGE\n\t [[{{node …}}]] [Op:…]"
    message = message.split("\n\t [[{{node")[0].split("<stack traces unavailable>\n")[-1]
    return ServingError(BY_NUMBER[number], message.strip())
