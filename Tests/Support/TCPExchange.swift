import FoundationEssentials

/// One TCP connection between neighbours that carries bytes both ways, and what its two kernels say they sent.
public struct TCPExchange: Decodable, Sendable {
    /// One end's own account (TCP_INFO).
    public struct End: Decodable, Sendable {
        /// Segments sent, those without payload or sent again too; the answer to the other's SYN is not among them.
        public let segments: UInt64
        /// Payload sent, what was sent again too.
        public let payload: UInt64
    }

    /// The far end connects, the near end answers.
    public let far, near: End

    /// Link-layer volume of what each end sent.
    public func volumes(isIPv6: Bool) -> (far: SensorDocument.Volume, near: SensorDocument.Volume) {
        // Every segment has the timestamp option, each side's first one 8 more bytes of options.
        func volume(_ segments: UInt64, _ payload: UInt64) -> SensorDocument.Volume {
            .init(packets: segments, bytes: payload + segments * (14 + (isIPv6 ? 40 : 20) + 32) + 8)
        }
        return (volume(far.segments, far.payload), volume(near.segments + 1, near.payload))
    }

    /// Runs it: `up` bytes to the near end, `down` bytes back. Without SACK, so that all headers are of one length; with
    /// a small window, so that the receiver's queue does not overflow.
    public static func run(_ pair: borrowing Neighbours, isIPv6: Bool, up: Int, down: Int) throws -> TCPExchange {
        let address = isIPv6 ? Neighbours.nearAddress6 : Neighbours.nearAddress
        let outcome = ChildProcess.run(
            [ClientRules.python, "-c", script, pair.near.name, pair.far.name, address, String(up), String(down)],
            seconds: 30
        )
        guard outcome.status == 0 else { throw Neighbours.Failure(description: "TCP exchange: \(outcome.text)") }
        return try JSONDecoder().decode(TCPExchange.self, from: Data(outcome.output))
    }

    private static let script = #"""
        import ctypes, json, os, socket, struct, sys, threading, time
        near, far, address, up, down = sys.argv[1:4] + [int(text) for text in sys.argv[4:6]]
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(name):
            handle = os.open("/run/netns/" + name, os.O_RDONLY)
            if libc.setns(handle, 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")
            open("/proc/sys/net/ipv4/tcp_sack", "w").write("0")

        def stream():
            made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            made.settimeout(20)
            return made

        def exchange(connection, count):
            sender = threading.Thread(target=lambda: (connection.sendall(bytes(count)),
                                                      connection.shutdown(socket.SHUT_WR)))
            sender.start()
            while connection.recv(65536):
                pass
            sender.join()

        def account(connection):
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            return {"segments": struct.unpack_from("I", info, 136)[0],
                    "payload": struct.unpack_from("Q", info, 200)[0]}

        enter(near)
        listener = stream()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, 5001))
        listener.listen()
        enter(far)
        client = stream()
        client.connect((address, 5001))
        server, _ = listener.accept()
        ends = [threading.Thread(target=exchange, args=pair) for pair in ((client, up), (server, down))]
        for end in ends: end.start()
        for end in ends: end.join()
        # Both have seen the other's end; the last acknowledgement goes out with that.
        before = None
        while before != (before := (account(client), account(server))):
            time.sleep(0.1)
        print(json.dumps({"far": before[0], "near": before[1]}))
        """#
}
