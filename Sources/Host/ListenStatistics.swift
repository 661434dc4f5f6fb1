import Linux

/// What the kernel did with connections that came faster than programs took them, from /proc/net/netstat. Totals since the
/// network namespace was made.
public struct ListenStatistics: Equatable, Sendable {
    /// SYNs and last packets of handshakes that were dropped at a listening socket, for whatever reason.
    public var drops: UInt64 = 0
    /// Of these, because its queue of finished connections was full.
    public var overflows: UInt64 = 0
    /// SYNs that were answered without keeping any state (RFC 4987, section 3.6).
    public var cookiesSent: UInt64 = 0

    public init() {}

    /// Reads the text of /proc/net/netstat: pairs of lines, the first with names, the second with numbers.
    init(_ text: Span<UInt8>) {
        var lines = ByteCursor(text)
        while var names = lines.line(), var values = lines.line() {
            while let name = names.word(), let value = values.word() {
                guard let number = value.number else { continue }
                if name.equals("ListenDrops") { drops = number }
                if name.equals("ListenOverflows") { overflows = number }
                if name.equals("SyncookiesSent") { cookiesSent = number }
            }
        }
    }
}

/// Asks the kernel's TCP stack how it copes. Needs no privilege.
public struct ListenMonitor: ~Copyable, Sendable {
    private let file: ProcFile
    private var buffer: [UInt8] = []

    public init() throws(HostError) {
        do throws(SystemError) {
            file = try ProcFile("/proc/net/netstat")
        } catch {
            throw .system(error)
        }
    }

    public mutating func statistics() throws(HostError) -> ListenStatistics {
        do throws(SystemError) {
            let count = try file.read(into: &buffer)
            return ListenStatistics(buffer.span.extracting(first: count))
        } catch {
            throw .system(error)
        }
    }
}
