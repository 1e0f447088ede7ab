"""What can go wrong with a server of the laboratory, each with the way out of it."""

from __future__ import annotations

from rowferry_lab.servers.spec import ServerSpec


class LabError(Exception):
    """The root of what the laboratory raises."""


class ProviderUnavailable(LabError):
    """No way was found to get this server on this machine; tests that need it cannot run."""

    def __init__(self, spec: ServerSpec, reason: str, hint: str = "") -> None:
        """Keep what was wanted, why it is not to be had, and what would help."""
        self.product = spec.product
        self.version = spec.version
        self.reason = reason
        self.hint = hint
        super().__init__(f"{spec.title} is not available: {reason}" + (f" ({hint})" if hint else ""))


class ServerFailed(LabError):
    """A server was there, and did not do what was asked of it."""

    def __init__(self, spec: ServerSpec, operation: str, detail: str) -> None:
        """Keep the operation, and the end of the server's own log."""
        self.product = spec.product
        self.version = spec.version
        self.operation = operation
        super().__init__(f"{spec.title}: {operation} failed: {detail}")


class PortTaken(ServerFailed):
    """Somebody else took the port between its choice and the server's start; another one may work."""


class NotOurs(LabError):
    """The server is run by somebody else (a URL in the environment): it is not ours to stop or kill."""
