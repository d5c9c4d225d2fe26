"""The listener of a service."""

import socket
from contextlib import closing

from services.kernel.web.serving import listen


def test_no_packet_of_an_answer_waits_for_another():
    with (
        closing(listen("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        closing(listener.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
