"""The order in which servers are looked for, and what is told when nobody has one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rowferry_lab.servers.docker_engine import DockerProvider
from rowferry_lab.servers.environment import EnvironmentProvider, variable_names
from rowferry_lab.servers.errors import ProviderUnavailable
from rowferry_lab.servers.installed import PathProvider
from rowferry_lab.servers.packages import PackagesProvider
from rowferry_lab.servers.provider import Availability, Provider
from rowferry_lab.servers.running import RunningServer
from rowferry_lab.servers.spec import ServerSpec

CHOICE_VARIABLE = "ROWFERRY_LAB_PROVIDERS"

_ALL: tuple[Provider, ...] = (EnvironmentProvider(), PathProvider(), DockerProvider(), PackagesProvider())


def providers(choice: str | None = None) -> tuple[Provider, ...]:
    """Give the providers in order; `ROWFERRY_LAB_PROVIDERS=packages,docker` chooses among them."""
    names = os.environ.get(CHOICE_VARIABLE, "") if choice is None else choice
    if not names.strip():
        return _ALL
    known = {provider.name: provider for provider in _ALL}
    wanted = [name.strip() for name in names.split(",")]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"{CHOICE_VARIABLE}: no provider {', '.join(unknown)}; there is {', '.join(known)}")
    return tuple(known[name] for name in wanted)


def start(spec: ServerSpec, *, options: Sequence[str] = (), data_dir: Path | None = None) -> RunningServer:
    """Start a server, or find one, and wait until it answers.

    The options are the server's own (`--max-allowed-packet=64M`, `--fsync=off`), and win over ours; without
    dashes, `NAME=value`, they are variables of its environment. Without a data directory the server gets a
    fresh one that goes with it. Raises `ProviderUnavailable` when no provider has it, `ServerFailed` when one
    has it and it does not start.
    """
    refusals: list[ProviderUnavailable] = []
    for provider in providers():
        try:
            return provider.start(spec, options, data_dir)
        except ProviderUnavailable as refusal:
            refusals.append(_named(provider, refusal, spec))
    raise _nobody(spec, refusals)


def available(spec: ServerSpec) -> Availability:
    """Say which provider would serve it, or why nobody can. Fetches and starts nothing."""
    refusals: list[ProviderUnavailable] = []
    for provider in providers():
        try:
            return Availability(spec, provider.name, provider.check(spec))
        except ProviderUnavailable as refusal:
            refusals.append(_named(provider, refusal, spec))
    return Availability(spec, None, _nobody(spec, refusals).reason)


def _named(provider: Provider, refusal: ProviderUnavailable, spec: ServerSpec) -> ProviderUnavailable:
    return ProviderUnavailable(spec, f"{provider.name}: {refusal.reason}", refusal.hint)


def _nobody(spec: ServerSpec, refusals: Sequence[ProviderUnavailable]) -> ProviderUnavailable:
    hints = [refusal.hint for refusal in refusals if refusal.hint]
    return ProviderUnavailable(
        spec,
        "; ".join(refusal.reason for refusal in refusals),
        "; ".join([*hints, f"name a server of yours in {variable_names(spec)[0]}, or start Docker"]),
    )
