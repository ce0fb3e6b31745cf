"""Links of one node to servers on the loopback address, which may be cut."""

import socket
import threading


class Links:
    """Passes bytes on between an address of one node and servers at the same ports, or swallows them, as a network does that is cut."""

    def __init__(self, host, servers, sentinels=()):
        self.host, self.is_cut = host, False
        # What sentinels say to the node of a server has the address at which the node reaches it. Both are of one length.
        told = (b"127.0.0.1", host.encode())
        for server in servers:
            self.listen(server.port, None)
        for sentinel in sentinels:
            self.listen(sentinel.port, told)

    def listen(self, port, told):
        listener = socket.create_server((self.host, port))
        threading.Thread(target=self.accept, args=(listener, port, told), daemon=True).start()

    def accept(self, listener, port, told):
        while True:
            client, _ = listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:
                # Whoever connects to a server that is not there is refused.
                client.close()
                continue
            threading.Thread(target=self.pass_on, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(server, client, told), daemon=True).start()

    def pass_on(self, one, other, told):
        has_lost = False
        try:
            while data := one.recv(65536):
                if self.is_cut:
                    has_lost = True
                elif has_lost:
                    break
                else:
                    other.sendall(data.replace(*told) if told else data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
