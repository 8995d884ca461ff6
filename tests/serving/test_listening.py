"""Addresses that a server cannot listen on are named, with what to do."""

import socket

import pytest
from fastapi import FastAPI

from adi.errors import ArgumentError
from adi.serving.listening import listening

APP = FastAPI()


def test_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = rf"cannot listen on 127\.0\.0\.1:{port} \(address already in use\)\. Give another port, or 0"
        with pytest.raises(ArgumentError, match=message) as error:
            listening(APP, "127.0.0.1", port, 1.0)
    assert error.value.parameter == "port"


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_an_address_of_another_machine(host):
    with pytest.raises(ArgumentError, match=rf"cannot listen on {host}:8000 \(") as error:
        listening(APP, host, 8000, 1.0)
    assert error.value.parameter == "host"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_free_port(host):
    _, bound = listening(APP, host, 0, 1.0)
    with bound:
        socket.create_connection(bound.getsockname()[:2]).close()
