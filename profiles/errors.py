"""The errors raised on purpose: each says what was expected, what was found and what to do next."""

SOME_ROWS_REJECTED, GATE_FAILED, INTERRUPTED = 3, 4, 130
"""Exit codes of what is no error; those of errors stand with them."""


class PromptshedError(Exception):
    """Something the user can act on; the command line prints it and exits with `exit_code`."""

    exit_code = 1


class UsageError(PromptshedError):
    """The request does not make sense, such as an unknown domain or model."""

    exit_code = 2


class InfeasibleError(PromptshedError):
    """No decision satisfies every constraint; the message names the one that binds."""

    exit_code = 2

    def __init__(self, message: str, *, constraint: str, nearest: float | None = None) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.nearest = nearest
        """The nearest value of the constraint that can be satisfied; None if there is none."""


class StoreError(PromptshedError):
    """The store is missing, busy, damaged or of another version."""


class NotReadyError(PromptshedError):
    """A step was asked for before the one it builds on; the message names that step."""


class InputFileError(PromptshedError):
    """A file as a whole cannot be read; single bad rows go to the rejects file instead."""


class SchemaError(PromptshedError):
    """A frame does not have the columns, types or unique keys its table declares."""


class EncoderError(PromptshedError):
    """The encoder's weights are missing or are not the ones expected."""


class EndpointError(PromptshedError):
    """A language model's endpoint cannot be reached, refuses, or speaks another protocol."""
