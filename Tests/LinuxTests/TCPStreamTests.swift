import Glibc
import Testing

@testable import Linux

struct TCPStreamTests {
    @Test func `Bytes go both ways, and an end is an end`() throws {
        let listener = try TCPStream.Listener(port: 0)
        let port = try listener.port
        let client = try TCPStream(to: InternetAddress(v4: 0x7F00_0001), port: port, timeout: 2_000)
        let server = try listener.accept(timeout: 2_000)
        try client.write(Array("question".utf8))
        #expect(try server.read(atMost: 100) == Array("question".utf8))
        try server.write(Array("answer".utf8))
        #expect(try client.read(atMost: 3) == Array("ans".utf8))
        _ = consume server
        #expect(try client.read(atMost: 100) == Array("wer".utf8))
        #expect(try client.read(atMost: 100).isEmpty)
    }

    @Test func `Nobody listening, and nobody speaking`() throws {
        let listener = try TCPStream.Listener(port: 0)
        let port = try listener.port
        let client = try TCPStream(to: InternetAddress(v4: 0x7F00_0001), port: port, timeout: 100)
        #expect(throws: SystemError.self) { try client.read(atMost: 1) }
        _ = consume listener
        var refused: Errno?
        do throws(SystemError) {
            _ = try TCPStream(to: InternetAddress(v4: 0x7F00_0001), port: port, timeout: 100)
        } catch {
            refused = error.errno
        }
        #expect(refused?.rawValue == ECONNREFUSED)
    }
}

struct SubprocessTests {
    @Test func `A program's end tells how it went`() throws {
        #expect(try Subprocess.run("true", ["true"]) == 0)
        #expect(try Subprocess.run("sh", ["sh", "-c", "exit 7"]) == 7)
        #expect(try Subprocess.run("sh", ["sh", "-c", "kill -9 $$"]) == 128 + 9)
        #expect(throws: SystemError.self) { _ = try Subprocess.run("/no/such/program", ["program"]) }
    }

    @Test func `A program is told to stop, and does not outlive its value`() throws {
        var program = try Subprocess("sleep", ["sleep", "60"])
        let before = program.isRunning
        program.send(SIGTERM)
        let status = program.wait()
        let after = program.isRunning
        #expect(before && !after)
        #expect(status == 128 + SIGTERM)
    }
}
